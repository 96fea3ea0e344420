import { afterAll, expect, test, vi } from "vitest";
import { app } from "~/functions";
import { accountEmail, sendEmail } from "~/functions/email";
import { testApp } from "~/kit/testing";
import { startSmtp } from "../kit/stand-ins/smtp";

const smtp = await startSmtp();
afterAll(() => smtp.stop());

const mail = { to: "ann@example.com", subject: "Grüße", text: `Look: https://app.test/?token=${"a".repeat(200)}=` };
const { run } = testApp(app);
const send = () => run(sendEmail, mail);

test("a mail reaches the server as it was written; when the server is busy, the job fails and is tried again", async () => {
  vi.stubEnv("SMTP_URL", smtp.url);
  vi.stubEnv("EMAIL_FROM", "App <app@example.com>");
  await send();
  expect(await smtp.mailTo(mail.to)).toMatchObject({
    from: "app@example.com",
    text: expect.stringContaining(mail.text),
  });
  smtp.refusals.push("451 Later");
  await expect(send()).rejects.toThrow("451");
});

test("without settings a mail is printed with its link, but not in production", async () => {
  vi.stubEnv("SMTP_URL", undefined);
  const printed = vi.spyOn(console, "info").mockReturnValue();
  await send();
  expect(printed.mock.calls.join()).toContain(mail.text);
  vi.stubEnv("NODE_ENV", "production");
  await expect(send()).rejects.toThrow("SMTP_URL");
});

test.each(["confirm", "taken", "reset", "change"] as const)("a mail about %s has its link", (about) => {
  const url = "https://app.test/sign-in";
  const { subject, text } = accountEmail({ about, url, newEmail: "new@example.com" });
  expect(subject).not.toBe("");
  expect(text).toContain(`\n\n${url}\n\n`);
});
