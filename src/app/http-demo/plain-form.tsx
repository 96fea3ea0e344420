interface PlainFormProps {
  /** Whether the browser comes back from sending the form. */
  isSent: boolean;
}

/** A form that the browser sends by itself to an HTTP action, so it works without JavaScript. */
export function PlainForm({ isSent }: PlainFormProps) {
  return (
    <section aria-labelledby="plain-form" className="grid gap-4 border-line border-y py-6 sm:py-8">
      <div className="grid gap-1.5">
        <h2 id="plain-form" className="font-semibold text-lg tracking-tight">
          A form without JavaScript
        </h2>
        <p className="max-w-prose text-pretty text-muted text-sm">
          The browser sends this form to <code className="wrap-anywhere text-ink">/http/sendForm</code> as
          multipart/form-data. The pictures are stored while they arrive, and it all appears in the chat.
        </p>
      </div>
      {isSent && (
        <p role="status" className="text-sm">
          Sent.{" "}
          <a href="/chat" className="font-medium text-accent underline">
            Look in the chat
          </a>
        </p>
      )}
      <form method="post" action="/http/sendForm" encType="multipart/form-data" className="grid max-w-md gap-3">
        {/* The fields come first: the action checks them before it stores a picture. */}
        <label className="grid gap-1 text-sm">
          <span className="font-medium">Your name</span>
          <input name="author" required maxLength={100} autoComplete="nickname" className="field" />
        </label>
        <label className="grid gap-1 text-sm">
          <span className="font-medium">Message (optional)</span>
          <input name="body" maxLength={1000} className="field" />
        </label>
        <label className="grid gap-1 text-sm">
          <span className="font-medium">Up to three pictures</span>
          <input
            type="file"
            name="photo"
            multiple
            accept="image/png,image/jpeg,image/gif,image/webp,image/avif"
            className="field min-w-0 py-2 file:mr-3 file:font-medium file:text-accent"
          />
        </label>
        <button type="submit" className="button button-primary justify-self-start">
          Send the form
        </button>
      </form>
    </section>
  );
}
