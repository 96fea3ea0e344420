"use client";

import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { X } from "lucide-react";
import Link from "next/link";
import { Dialog, Tabs } from "radix-ui";
import { useDeferredValue, useState } from "react";
import { ConfirmDialog } from "../../client/components/controls";
import { ErrorText, Failed, Loading } from "../../client/components/lists";
import { formatBytes, Timestamp } from "../../client/components/values";
import { hrefOfRows } from "./data-filters";
import { columnsOf, DataTable, Pager, useCursors } from "./data-table";
import { type Answers, CopyButton, DashboardPage, formatCount, useDialog, useTRPC, useTRPCClient } from "./parts";

const kinds = { accounts: "Accounts", visitors: "Visitors" };
type ListKind = keyof typeof kinds;

/** The page of everyone who has an account, and of visitors who own something. */
export function Users() {
  const [kind, setKind] = useState<ListKind>("accounts");
  const [typed, setTyped] = useState("");
  const search = useDeferredValue(typed.trim());
  const cursors = useCursors(`${kind} ${search}`);
  const [opened, setOpened] = useState<string | null>(null);
  const [columns] = useState(() => userColumns({ onOpen: setOpened }));
  const users = useQuery({
    ...useTRPC().dashboard.users.list.queryOptions({ kind, search, cursor: cursors.cursor }),
    placeholderData: keepPreviousData,
  });
  return (
    <DashboardPage title="Users">
      <div className="mb-4 flex flex-wrap gap-3">
        <Tabs.Root
          value={kind}
          onValueChange={(next) => setKind(next === "visitors" ? next : "accounts")}
          className="flex-none"
        >
          <Tabs.List aria-label="Kind of users" className="flex w-fit gap-1 rounded-full bg-sunken p-1">
            {Object.entries(kinds).map(([name, label]) => (
              <Tabs.Trigger key={name} value={name} aria-controls="users" className="tab">
                {label}
              </Tabs.Trigger>
            ))}
          </Tabs.List>
        </Tabs.Root>
        <input
          type="search"
          aria-label="Find a user by email address or id"
          placeholder="Email address or id"
          value={typed}
          maxLength={255}
          onChange={({ target }) => setTyped(target.value)}
          className="field my-1 min-w-48 flex-1 sm:max-w-sm"
        />
      </div>
      <div id="users">
        {users.isError ? (
          <Failed title="The users could not be loaded" error={users.error} onRetry={() => void users.refetch()} />
        ) : users.isPending ? (
          <Loading>Loading users…</Loading>
        ) : (
          <DataTable
            label="Users"
            columns={columns}
            rows={users.data.page}
            rowId={({ id }) => id}
            empty={search ? "No user has this id, or an address that begins with this text." : "There are no users."}
          />
        )}
        <Pager cursors={cursors} nextCursor={users.data?.nextCursor} />
      </div>
      <UserDialog userId={opened} onClose={() => setOpened(null)} />
    </DashboardPage>
  );
}

type ListedUser = Answers["users"]["list"]["page"][number];

const column = columnsOf<ListedUser>();

const userColumns = ({ onOpen }: { onOpen: (userId: string) => void }) =>
  column.columns([
    column.accessor("name", {
      header: "Name",
      meta: { isTitle: true },
      cell: ({ getValue, row: { original } }) => (
        <button
          type="button"
          dir="auto"
          onClick={() => onOpen(original.id)}
          className="block min-h-11 max-w-full truncate font-medium text-accent underline-offset-2 hover:underline sm:max-w-60"
        >
          {getValue() || "No name"}
        </button>
      ),
    }),
    column.accessor("email", {
      header: "Email",
      cell: ({ row: { original } }) => (
        <span className="block max-w-full truncate sm:max-w-72">{addressOf(original)}</span>
      ),
    }),
    column.display({
      id: "state",
      header: "State",
      cell: ({ row: { original } }) => <span className="text-muted text-xs">{stateOf(original)}</span>,
    }),
    column.accessor("createdAt", {
      header: "Created",
      meta: { className: "whitespace-nowrap sm:min-w-32" },
      cell: ({ getValue }) => <Timestamp at={getValue()} />,
    }),
    column.accessor("id", {
      header: "Id",
      cell: ({ getValue }) => (
        <span className="block max-w-full truncate font-mono text-muted text-xs sm:max-w-40" title={getValue()}>
          {getValue()}
        </span>
      ),
    }),
  ]);

type ShownUser = Pick<ListedUser, "email" | "isAdmin" | "isAnonymous" | "emailVerified">;

/** The addresses of visitors are made up. */
const addressOf = ({ isAnonymous, email }: ShownUser) => (isAnonymous ? "–" : email);

function stateOf({ isAdmin, isAnonymous, emailVerified }: ShownUser): string {
  if (isAnonymous) return "Visitor";
  return [isAdmin && "Administrator", emailVerified ? "Confirmed" : "Not confirmed"].filter(Boolean).join(", ");
}

interface UserDialogProps {
  /** The user to show, or `null` when the dialog is closed. */
  userId: string | null;
  onClose: () => void;
}

function UserDialog({ userId, onClose }: UserDialogProps) {
  const dialog = useDialog(onClose);
  const user = useQuery({
    ...useTRPC().dashboard.users.get.queryOptions({ userId: userId ?? "" }),
    enabled: userId !== null,
  });
  return (
    <Dialog.Root open={userId !== null} onOpenChange={onClose}>
      <Dialog.Portal>
        <Dialog.Overlay className="dialog-overlay" />
        <Dialog.Content {...dialog} className="dialog max-w-xl!" aria-describedby={undefined}>
          <div className="-mt-2 -mr-3 flex items-center justify-between">
            <Dialog.Title dir="auto" className="min-w-0 truncate font-semibold">
              {user.data?.name || "User"}
            </Dialog.Title>
            <Dialog.Close aria-label="Close" title="Close" className="icon-button">
              <X aria-hidden="true" className="size-5" />
            </Dialog.Close>
          </div>
          {user.isError ? (
            <Failed title="The user could not be loaded" error={user.error} onRetry={() => void user.refetch()} />
          ) : user.data === undefined ? (
            <Loading>Loading…</Loading>
          ) : user.data === null ? (
            <p className="py-6 text-center text-muted text-sm">This user has been deleted.</p>
          ) : (
            <Details user={user.data} onDeleted={onClose} />
          )}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

type User = NonNullable<Answers["users"]["get"]>;

function Details({ user, onDeleted }: { user: User; onDeleted: () => void }) {
  const { id: userId, isAdmin, stored, sessions } = user;
  const client = useTRPCClient().dashboard.users;
  const queryClient = useQueryClient();
  const trpc = useTRPC().dashboard.users;
  // Changes of sessions are not announced, because there are too many.
  const refetch = () => queryClient.invalidateQueries({ queryKey: trpc.pathKey() });
  const signOut = useMutation({
    mutationFn: (sessionId?: string) => client.signOut.mutate({ userId, sessionId }),
    onSettled: refetch,
  });
  const [asking, setAsking] = useState<"admin" | "deletion" | null>(null);
  const facts = [
    { name: "Email", value: addressOf(user) },
    { name: "State", value: stateOf(user) },
    {
      name: "Signs in with",
      value: user.providers.map((id) => (id === "credential" ? "password" : id)).join(", ") || "–",
    },
    { name: "Created", value: <Timestamp at={user.createdAt} /> },
    {
      name: "Files",
      value: (
        <Link
          prefetch={false}
          href={hrefOfRows("_storage", [{ column: "owner", operator: "is", value: user.owner }])}
          className="text-accent underline-offset-2 hover:underline"
        >
          {stored.isAll
            ? `${formatCount(stored.files)}, ${formatBytes(stored.bytes)}`
            : `${formatCount(stored.files)} or more`}
        </Link>
      ),
    },
  ];
  return (
    <>
      <dl className="mt-1 grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1.5 text-sm">
        {facts.map(({ name, value }) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="wrap-anywhere min-w-0">{value}</dd>
          </div>
        ))}
        <dt className="text-muted">Id</dt>
        <dd className="flex min-w-0 items-center">
          <span className="wrap-anywhere min-w-0 font-mono text-xs">{userId}</span>
          <CopyButton text={userId} label="Copy the id" />
        </dd>
      </dl>
      <h3 className="pt-3 pb-1 font-semibold text-sm">Signed in</h3>
      {sessions.length === 0 && <p className="text-muted text-sm">Nowhere.</p>}
      <ul aria-label="Sessions">
        {sessions.map(({ id, userAgent, updatedAt }) => (
          <li key={id} className="flex min-h-11 items-center gap-3 text-sm">
            <span className="min-w-0 flex-1">
              <span className="block truncate" title={userAgent ?? undefined}>
                {userAgent ?? "Unknown device"}
              </span>
              <Timestamp at={updatedAt.getTime()} />
            </span>
            <button
              type="button"
              disabled={signOut.isPending}
              onClick={() => signOut.mutate(id)}
              className="h-11 flex-none px-2 text-accent text-sm underline-offset-2 hover:underline"
            >
              Sign out
            </button>
          </li>
        ))}
      </ul>
      <ErrorText error={signOut.error} />
      <div className="mt-5 flex flex-wrap gap-2">
        {sessions.length > 1 && (
          <button
            type="button"
            disabled={signOut.isPending}
            onClick={() => signOut.mutate(undefined)}
            className="button button-quiet"
          >
            Sign out everywhere
          </button>
        )}
        {!user.isAnonymous && (
          <button type="button" onClick={() => setAsking("admin")} className="button button-quiet">
            {isAdmin ? "Take the role of administrator" : "Make administrator"}
          </button>
        )}
        <button type="button" onClick={() => setAsking("deletion")} className="button px-4 text-danger hover:bg-sunken">
          Delete
        </button>
      </div>
      <ConfirmDialog
        isOpen={asking === "admin"}
        onOpenChange={() => setAsking(null)}
        title={isAdmin ? `${user.name} is no administrator any more?` : `Make ${user.name} an administrator?`}
        description={
          isAdmin
            ? "They lose access to the dashboard at once."
            : "Administrators can read every file and row, and act as every user. Make sure that the address is theirs."
        }
        action={isAdmin ? "Take the role" : "Make administrator"}
        onConfirm={() => client.setAdmin.mutate({ userId, isAdmin: !isAdmin })}
      />
      <ConfirmDialog
        isOpen={asking === "deletion"}
        onOpenChange={() => setAsking(null)}
        title={`Delete ${user.name || "this user"}?`}
        description="Their rows and files are deleted with them, for good. This cannot be undone."
        action="Delete"
        onConfirm={() => client.delete.mutate({ userId })}
        onClosed={(isDone) => isDone && onDeleted()}
      />
    </>
  );
}
