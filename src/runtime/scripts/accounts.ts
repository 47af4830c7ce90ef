// Whose processes scripts become: user and group names to numbers, by /etc/passwd and /etc/group as text. Accounts that
// only a directory service knows are not found; `getpwnam` would need the addon and could block on a network.

import type { Account } from '../../model/virtual-router.js';

export type AccountIds = { readonly name: string; readonly uid: number; readonly gid: number };

/** The texts of /etc/passwd and /etc/group. */
export type AccountDatabase = { readonly passwd: string; readonly group: string };

/** keepalived's account for scripts that name none. */
export const defaultScriptUser = 'keepalived_script';

/** Whom scripts run as that name nobody while the file names nobody either: keepalived's account for them, else root. */
export function usualAccount(database: AccountDatabase): AccountIds {
  const own = findAccount({ user: defaultScriptUser, group: undefined }, database);
  return typeof own === 'string' ? { name: 'root', uid: 0, gid: 0 } : own;
}

/** `joe`, else the number; `kind` says which of the two files to look in. */
export function nameOfId(id: number, kind: keyof AccountDatabase, database: AccountDatabase): string {
  const row = database[kind].split('\n').find((line) => line.split(':')[2] === String(id));
  return row?.split(':')[0] ?? String(id);
}

/** Numbers stand for themselves; a number without an entry needs a group. What is wrong, as it follows `run as`. */
export function findAccount(account: Account, database: AccountDatabase): AccountIds | string {
  const { user, group } = account;
  const entry = findEntry(database.passwd, user, 2);
  const uid = idOf(entry?.[2] ?? user);
  if (uid === undefined) return `${user}, which is no account in /etc/passwd`;
  const groupEntry = group === undefined ? undefined : findEntry(database.group, group, 2);
  const gid = group === undefined ? idOf(entry?.[3]) : idOf(groupEntry?.[2] ?? group);
  if (gid !== undefined) return { name: entry?.[0] ?? user, uid, gid };
  return group === undefined
    ? `${user} without a group`
    : `${user} with the group ${group}, which is not in /etc/group`;
}

/** The line of a name, else of a number in field `idField`, as its fields. */
function findEntry(text: string, nameOrId: string, idField: number): readonly string[] | undefined {
  const rows = text.split('\n').map((line) => line.split(':'));
  return rows.find(([name]) => name === nameOrId) ?? rows.find((fields) => fields[idField] === nameOrId);
}

/** -1 means "leave it as it is" to the kernel, and so is no account. */
function idOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 2 ** 32 - 1 ? id : undefined;
}
