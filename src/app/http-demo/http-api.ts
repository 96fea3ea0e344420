/** A message in the response of `GET /http/getMessagesByAuthor`. */
export interface SentMessage {
  _id: string;
  body: string;
  format: "text" | "image";
  storageId: string | null;
}

/** Calls the HTTP API at `api`. A page of any origin that the API allows can do this. */
export function httpApi(api: string) {
  async function call(path: string, init?: RequestInit): Promise<Response> {
    const response = await fetch(`${api}${path}`, init);
    if (response.ok) return response;
    const { message }: { message: string } = await response.json();
    throw new Error(message);
  }
  return {
    async sendImage(author: string, image: Blob) {
      // Because of this header the browser sends a preflight request first.
      await call(`/sendImage?author=${encodeURIComponent(author)}`, { method: "POST", body: image });
    },
    async postMessage(author: string, body: string) {
      const headers = { "Content-Type": "application/json" };
      await call("/postMessage", { method: "POST", headers, body: JSON.stringify({ author, body }) });
    },
    async messagesBy(author: string): Promise<SentMessage[]> {
      const response = await call(`/getMessagesByAuthor?author=${encodeURIComponent(author)}`);
      return response.json();
    },
    imageUrl: (storageId: string) => `${api}/getImage?storageId=${storageId}`,
  };
}

export type HttpApi = ReturnType<typeof httpApi>;
