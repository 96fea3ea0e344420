// Each is looked for in time linear in the text: it may be a stranger's.
const secrets = [
  // Signed by us: upload tokens, receipts and, with three parts, JSON Web Tokens.
  /(?<![\w-])[\w-]{16,}\.(?:[\w-]+\.)?[\w-]{43,}/g,
  // The signature in a file URL.
  /(?<=\/api\/storage\/[0-9a-f-]{36}\/)[\w-]{43}/g,
  // Signed URLs of blob stores, and whatever else is passed as such a parameter.
  /(?<=[?&](?:[\w-]*(?:token|signature|credential|secret|key)|sig|code)=)[^\s&"'<>]+/gi,
  /(?<=\b(?:bearer|basic) )[\w.~+/=-]+/gi,
  /(?<=session_token=)[^\s;"']+/gi,
  // The password of a database URL.
  /(?<=:\/\/[^\s:/@]*:)[^\s/@]+(?=@)/g,
];

/** The text without what would let its reader act for somebody: tokens, signatures, passwords. */
export const redact = (text: string): string =>
  secrets.reduce((rest, secret) => rest.replace(secret, "[secret]"), text);
