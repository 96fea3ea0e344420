"use client";

import { ErrorText, Timestamp, useDevices } from "~/kit/client";

/** The devices that are signed in. */
export function Devices() {
  const { devices, signOut, signOutOthers, isChanging, error } = useDevices();
  return (
    <>
      <ul className="grid gap-2">
        {devices.map(({ token, name, usedAt, isThis }) => (
          <li key={token} className="flex min-h-11 items-center justify-between gap-4 text-sm">
            <span className="min-w-0">
              <span className="block truncate">{name}</span>
              {isThis ? <span className="text-muted text-xs">This device</span> : <Timestamp at={usedAt} />}
            </span>
            {!isThis && (
              <button
                type="button"
                disabled={isChanging}
                onClick={() => signOut(token)}
                className="button button-quiet"
              >
                Sign out
              </button>
            )}
          </li>
        ))}
      </ul>
      {devices.length > 1 && (
        <button type="button" disabled={isChanging} onClick={signOutOthers} className="button button-quiet">
          Sign out all other devices
        </button>
      )}
      <ErrorText error={error} />
    </>
  );
}
