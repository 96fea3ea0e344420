import { randomUUID } from "node:crypto";
import ipaddr from "ipaddr.js";
import { env } from "../process/env";
import { processWide } from "../process/process-wide";

/**
 * The header in which this process notes the address of each request's socket, over whatever a client sent under that
 * name: handlers receive a `Request`, which has no socket. `isNoted` says that requests pass through that place at all.
 */
export const socketAddress = processWide("socket address", () => ({
  header: `x-socket-${randomUUID()}`,
  isNoted: false,
}));

/**
 * The network that a request came from, for counting: an IPv4 address, or the first half of an IPv6 address, all of whose
 * addresses one customer has. Believed is what the outermost of `TRUST_PROXY` proxies wrote; without a trusted proxy, the
 * socket's own address when it is a public one. A private one is probably a proxy's, and the same for everybody: `null`.
 */
export function clientNetwork(headers: Headers): string | null {
  if (process.env.VERCEL === "1") return networkOf(headers.get("x-vercel-forwarded-for"));
  if (env.TRUST_PROXY > 0) {
    const hops = (headers.get("x-forwarded-for") ?? "").split(",");
    return networkOf(hops.at(-env.TRUST_PROXY));
  }
  const address = socketAddress.isNoted ? parse(headers.get(socketAddress.header)) : null;
  return address?.range() === "unicast" ? networkOf(address.toString()) : null;
}

/** `2001:db8:1:2:3::4` → `2001:db8:1:2::/64`; `null` for what is no address. */
export function networkOf(text: string | null | undefined): string | null {
  const address = parse(text);
  if (!address) return null;
  if (address instanceof ipaddr.IPv4) return address.toString();
  const half = new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]);
  return `${half.toString()}/64`;
}

/** Some proxies write a port behind the address, and brackets around one of IPv6. */
function parse(text: string | null | undefined): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const trimmed = text?.trim().slice(0, 100) ?? "";
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed) ?? [];
  const [, withPort] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed) ?? [];
  const address = bracketed ?? withPort ?? trimmed;
  // The zone in fe80::1%eth0 names an interface of this machine.
  const [bare = ""] = address.split("%");
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null;
}
