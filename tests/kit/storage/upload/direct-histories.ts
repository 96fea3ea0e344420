import { z } from "zod";
import { completeDirect, startDirect } from "~/kit/storage/direct-upload";
import { partSize } from "~/kit/storage/drivers/parts";
import { withFaults } from "./faults";
import { expectNothingLeft, type History, Upload } from "./histories";

const part = z.object({
  number: z.number().optional(),
  method: z.string(),
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  size: z.number(),
});

const answer = z.object({
  code: z.string().optional(),
  storageId: z.string().optional(),
  missing: z.number().array().optional(),
  sent: z.number().array().optional(),
  parts: part.array().optional(),
  direct: z
    .object({ parts: part.array(), partBytes: z.number(), complete: z.object({ receipt: z.string() }) })
    .optional(),
});

/** A client that sends parts to the store, and was told by the store which ones it has. */
class DirectUpload {
  private receipt: string | null = null;
  private count = 0;
  private partBytes = 1;
  /** The store's answers to the parts that it took. */
  private taken = new Map<number, string>();

  constructor(
    private readonly history: History,
    readonly upload: Upload,
    private readonly sha256: string | undefined,
  ) {}

  private async call(handle: (request: Request) => Promise<Response>, url: string, body: object) {
    const { random, faults, lines } = this.history;
    lines.push(`  ${url.replace(/\?.*/, "")} ${JSON.stringify({ ...body, receipt: undefined, answers: undefined })}`);
    const request = new Request(url, { method: "POST", body: JSON.stringify(body) });
    const response = await withFaults(random, faults, lines, () => handle(request));
    const read = answer.parse(await response.json());
    lines.push(`  → ${response.status} ${read.code ?? ""} missing ${read.missing ?? ""} sent ${read.sent ?? ""}`);
    if (read.code === "InternalServerError") this.upload.fail("The answer is 500");
    if (response.status >= 500 && faults === 0)
      this.upload.fail("The answer is an error, although nothing fails any more");
    const lost = [...this.taken.keys()].filter((number) => read.missing?.includes(number));
    if (lost.length > 0) this.upload.fail(`Parts ${lost} are asked for again, although the store took them`);
    if (read.storageId) {
      this.upload.storageId ??= read.storageId;
      await this.upload.expectFile();
    }
    const isExpected = read.code === undefined || read.missing || response.status >= 500;
    if (!isExpected && read.code !== "StorageTokenUsed") this.upload.fail(`The answer ${read.code} has no reason`);
    return read;
  }

  async begin(): Promise<void> {
    const file = { size: this.upload.bytes.length, contentType: "video/mp4", sha256: this.sha256 };
    const { direct } = await this.call(startDirect, this.upload.url.replace("?", "/direct?"), file);
    if (!direct) return;
    this.receipt = direct.complete.receipt;
    this.count = direct.parts.length;
    this.partBytes = direct.partBytes;
    this.taken.clear();
  }

  /** Asks where to send the parts that are missing, and sends them. */
  async send(): Promise<void> {
    const { random, faults, lines } = this.history;
    const numbers = Array.from({ length: this.count }, (_, index) => index + 1).filter((n) => !this.taken.has(n));
    const asked = { receipt: this.receipt, parts: numbers };
    const { parts = [] } = await this.call(startDirect, this.upload.url.replace("?", "/direct?"), asked);
    for (const { number = 0, method, url, headers, size } of parts) {
      const start = (number - 1) * this.partBytes;
      const body = this.upload.bytes.subarray(start, start + size);
      lines.push(`  part ${number}`);
      const response = await withFaults(random, faults, lines, () => fetch(url, { method, headers, body })).catch(
        () => null,
      );
      const text = await response?.text().catch(() => null);
      if (response?.ok && typeof text === "string") this.taken.set(number, text);
    }
  }

  async complete(): Promise<void> {
    if (this.receipt === null) return;
    const answers = Array.from({ length: this.count }, (_, index) => this.taken.get(index + 1) ?? "");
    const url = "http://app.test/api/storage/upload/complete";
    await this.call(completeDirect, url, { receipt: this.receipt, answers });
  }

  get hasBegun(): boolean {
    return this.receipt !== null;
  }
}

/** A random history of an upload whose bytes go straight to the store. */
export async function directHistory(history: History): Promise<void> {
  const { random, lines } = history;
  const upload = new Upload(history, 1 + random.below(2000) + (random.chance(0.05) ? partSize : 0));
  lines.push(`${upload.bytes.length} bytes`);
  const client = new DirectUpload(history, upload, random.chance(0.5) ? upload.sha256 : undefined);
  for (let steps = 2 + random.below(8); steps > 0; steps--) {
    const dice = random.below(100);
    if (!client.hasBegun || dice < 8) await client.begin();
    else if (dice < 50) await client.send();
    else if (dice < 90) await client.complete();
    else await Promise.all([client.complete(), client.complete()]);
  }
  history.faults = 0;
  lines.push("  -- nothing fails any more");
  for (let round = 0; round < 3 && !upload.storageId && random.chance(0.9); round++) {
    if (!client.hasBegun) await client.begin();
    await client.send();
    await client.complete();
    if (round === 2 && !upload.storageId) upload.fail("The upload does not end");
  }
  await expectNothingLeft(history, upload.storageId);
}
