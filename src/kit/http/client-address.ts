import { randomUUID } from "node:crypto";
import ipaddr from "ipaddr.js";
import { env, onVercel } from "../process/env";
import { processWide } from "../process/process-wide";

/**
 * The request header in which this process passes on the address of each request's socket, because handlers receive a
 * `Request`, which has no socket. It replaces a header of that name from the client. `isNoted` is false where nothing sets it.
 */
export const socketAddress = processWide("socket address", () => ({
  header: `x-socket-${randomUUID()}`,
  /** Carries `X-Forwarded-For` as it arrived, because Next.js writes the socket's address into a missing one. */
  forwardedHeader: `x-forwarded-${randomUUID()}`,
  isNoted: false,
}));

/** The addresses that proxies named, the client's first. */
export function forwardedAddresses(headers: Headers): string[] {
  const list = headers.get(socketAddress.isNoted ? socketAddress.forwardedHeader : "x-forwarded-for") ?? "";
  return list
    .split(",")
    .map((address) => address.trim())
    .filter((address) => address !== "");
}

/**
 * Returns the network that a request came from, for rate limits: an IPv4 address, or the first half of an IPv6 address, which
 * belongs to one customer. Uses the address that the outermost of `TRUST_PROXY` proxies wrote. Without a trusted proxy it uses
 * the socket's address, or returns `null` when that is private, because it is then probably a proxy's and equal for all clients.
 */
export function clientNetwork(headers: Headers): string | null {
  if (onVercel()) return networkOf(headers.get("x-vercel-forwarded-for"));
  if (env.TRUST_PROXY > 0) {
    const hops = (headers.get("x-forwarded-for") ?? "").split(",");
    return networkOf(hops.at(-env.TRUST_PROXY));
  }
  const address = socketAddress.isNoted ? parse(headers.get(socketAddress.header)) : null;
  return address?.range() === "unicast" ? networkOf(address.toString()) : null;
}

/** `2001:db8:1:2:3::4` → `2001:db8:1:2::/64`. Returns `null` for a text that is not an address. */
export function networkOf(text: string | null | undefined): string | null {
  const address = parse(text);
  if (!address) return null;
  if (address instanceof ipaddr.IPv4) return address.toString();
  const half = new ipaddr.IPv6([...address.parts.slice(0, 4), 0, 0, 0, 0]);
  return `${half.toString()}/64`;
}

/** Parses an address. Some proxies add a port, and put brackets around IPv6 addresses. */
function parse(text: string | null | undefined): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const trimmed = text?.trim().slice(0, 100) ?? "";
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(trimmed) ?? [];
  const [, withPort] = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed) ?? [];
  const address = bracketed ?? withPort ?? trimmed;
  // Remove the zone, such as `%eth0` in `fe80::1%eth0`, which names an interface of this machine.
  const [bare = ""] = address.split("%");
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null;
}
