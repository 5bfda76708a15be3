/** How a command ends when no `LockError` says so; those carry their own exit code. BSD `sysexits.h` where one fits. */
export const exitCodes = {
  done: 0,
  usage: 64,
  noSuchLock: 66,
  unreachable: 69,
  bug: 70,
  held: 75,
  lost: 76,
  notAllowed: 77,
  badConfiguration: 78,
  notExecutable: 126,
  notFound: 127,
} as const;
