import type { Fleet } from "./fleet";

/** The parts of an answer that the tests look at. */
export interface Answer<Body> {
  status: number;
  /** The code of an error. */
  code: string;
  body: Body;
}

/** Sends requests to a fleet, whose servers may die while they answer. `null` is no answer, or half of one. */
export interface Client {
  /** Posts a file. `path` is that of an upload URL. */
  post(path: string, body: BodyInit, headers: HeadersInit): Promise<Answer<{ storageId?: string }> | null>;
  /** Calls a mutation or an action over tRPC. */
  call(name: string, args: object): Promise<Answer<unknown> | null>;
  /** Reads a file to its end. */
  get(path: string): Promise<Answer<Uint8Array> | null>;
}

/** Milliseconds after which a server counts as stuck, however busy the machine. */
const stuck = 60_000;

export function createClient(fleet: Pick<Fleet, "origin">, token?: string): Client {
  async function request<T>(path: string, init: RequestInit, read: (response: Response) => Promise<T>) {
    const origin = await fleet.origin();
    try {
      return await read(await fetch(origin + path, { ...init, signal: AbortSignal.timeout(stuck) }));
    } catch (error) {
      // A connection that was refused or broke off.
      if (error instanceof TypeError && error.cause instanceof Error) return null;
      throw new Error(`No proper answer from ${path}`, { cause: error });
    }
  }

  return {
    post: (path, body, headers) => {
      const init: RequestInit & { duplex: "half" } = { method: "POST", body, headers, duplex: "half" };
      return request(path, init, async (response) => {
        const body: { storageId?: string; code?: string } = await response.json();
        return { status: response.status, code: body.code ?? "", body };
      });
    },
    call: (name, args) => {
      const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
      const init = { method: "POST", headers, body: JSON.stringify({ json: args }) };
      return request(`/api/trpc/${name}`, init, async (response) => {
        const { result, error } = await response.json();
        return { status: response.status, code: error?.json.data.code ?? "", body: result?.data.json };
      });
    },
    get: (path) =>
      request(path, {}, async (response) => ({
        status: response.status,
        code: "",
        body: new Uint8Array(await response.arrayBuffer()),
      })),
  };
}
