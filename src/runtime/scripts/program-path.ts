// The way to a program through directories and links, and what may go wrong on it: nothing there, not executable by an
// account, or within reach of somebody who is not root. Facts about files are handed in.

import { type AccountDatabase, type AccountIds, nameOfId } from './accounts.js';

export type FileFacts = {
  readonly kind: 'file' | 'directory' | 'link' | 'other';
  readonly uid: number;
  readonly gid: number;
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly mode: number;
  /** Of a link. */
  readonly target: string | undefined;
};

/** lstat, or why it failed, in words. */
export type ReadFileFacts = (path: string) => FileFacts | string;

export type Step = { readonly path: string; readonly facts: FileFacts };

/** Everything that was passed from `/` on, links included; the program stands last. */
export type ProgramPath = { readonly steps: readonly Step[]; readonly program: Step };

const maxLinks = 40;
const [setUserId, setGroupId, sticky] = [0o4000, 0o2000, 0o1000];

/** Follows an absolute path to a file. A text says what is in the way. */
export function walkPath(path: string, lookAt: ReadFileFacts): ProgramPath | string {
  const steps: Step[] = [];
  let rest = ['', ...path.split('/')];
  let at = '/';
  let links = 0;
  for (let name = rest.shift(); name !== undefined; name = rest.shift()) {
    const isRoot = steps.length === 0;
    if (!isRoot && (name === '' || name === '.')) continue;
    if (name === '..') {
      at = at.slice(0, at.lastIndexOf('/')) || '/';
      continue;
    }
    const next = isRoot ? '/' : `${at === '/' ? '' : at}/${name}`;
    const facts = lookAt(next);
    if (typeof facts === 'string') return `${next}: ${facts}`;
    const step = { path: next, facts };
    steps.push(step);
    if (facts.kind === 'link') {
      if (++links > maxLinks) return `${path}: too many symbolic links`;
      const target = facts.target ?? '';
      if (target.startsWith('/')) at = '/';
      rest = [...target.split('/'), ...rest];
    } else if (facts.kind === 'directory') {
      at = next;
    } else if (rest.some((other) => other !== '' && other !== '.')) {
      return `${next} is no directory`;
    } else {
      return facts.kind === 'file' ? { steps, program: step } : `${next} is no program`;
    }
  }
  return `${path} is a directory`;
}

/** What keeps `account` from executing the program, as it follows its name; undefined when nothing does. */
export function forbids({ steps, program }: ProgramPath, account: AccountIds): string | undefined {
  const closed = steps.find(({ facts }) => facts.kind === 'directory' && !mayExecute(facts, account));
  if (closed !== undefined) return `${account.name} may not enter ${closed.path}`;
  return mayExecute(program.facts, account)
    ? undefined
    : `${program.path} is not executable by ${account.name}`;
}

/** By mode bits and the account's one group; access control lists are not read. */
function mayExecute({ uid, gid, mode, kind }: FileFacts, account: AccountIds): boolean {
  if (account.uid === 0) return kind === 'directory' || (mode & 0o111) !== 0;
  if (account.uid === uid) return (mode & 0o100) !== 0;
  return (mode & (account.gid === gid ? 0o010 : 0o001)) !== 0;
}

/** Whether running it gives anybody who can change it the powers of root. */
export function runsWithRootPowers({ program: { facts } }: ProgramPath, account: AccountIds): boolean {
  const { mode, uid, gid } = facts;
  const becomesRoot = uid === 0 && (mode & setUserId) !== 0 && (mode & 0o100) !== 0;
  const becomesRootGroup = gid === 0 && (mode & setGroupId) !== 0 && (mode & 0o010) !== 0;
  return account.uid === 0 || account.gid === 0 || becomesRoot || becomesRootGroup;
}

/**
 * The first thing on the way that somebody other than root can change or replace; undefined when there is none. Whoever
 * found none may run the program afterwards: from `/` on each entry is root's alone, so nobody else can have moved it
 * between the look and the start. In a sticky directory (/tmp) an entry that belongs to root can't be replaced.
 */
export function firstUnsafe({ steps }: ProgramPath): Step | undefined {
  return steps.find(({ facts }) => isOpenToOthers(facts));
}

/** `/srv/check belongs to joe`, `/srv can be changed by everybody`: who else than root, of what firstUnsafe() found. */
export function unsafeText({ path, facts: { uid, gid, mode } }: Step, database: AccountDatabase): string {
  if (uid !== 0) return `${path} belongs to ${nameOfId(uid, 'passwd', database)}`;
  const isForAll = (mode & 0o002) !== 0;
  return `${path} can be changed by ${isForAll ? 'everybody' : `the group ${nameOfId(gid, 'group', database)}`}`;
}

/** What makes it root's alone. */
export function unsafeRemedy({ path, facts: { uid, mode } }: Step): string {
  const isWritable = (mode & 0o022) !== 0;
  return [uid === 0 ? '' : `chown root ${path}`, isWritable ? `chmod go-w ${path}` : '']
    .filter((command) => command !== '')
    .join('; ');
}

function isOpenToOthers({ kind, uid, gid, mode }: FileFacts): boolean {
  if (uid !== 0) return true;
  if (kind === 'link' || (kind === 'directory' && (mode & sticky) !== 0)) return false;
  return (mode & 0o002) !== 0 || (gid !== 0 && (mode & 0o020) !== 0);
}
