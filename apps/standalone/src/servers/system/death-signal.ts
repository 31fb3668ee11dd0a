import { accessSync, constants } from 'node:fs';

const SETPRIV = '/usr/bin/setpriv';

/**
 * A command line whose process gets `signal` from the kernel when the thread that started it is gone,
 * even after SIGKILL: `setpriv` of util-linux asks for that, and then becomes the command. Where there
 * is no setpriv, the command line as it is; leftovers are then found by their pid files.
 */
export function withDeathSignal(
  signal: NodeJS.Signals,
  command: string,
  args: readonly string[],
): [string, string[]] {
  return canSetDeathSignal()
    ? [SETPRIV, ['--pdeathsig', signal.replace('SIG', ''), '--', command, ...args]]
    : [command, [...args]];
}

function canSetDeathSignal(): boolean {
  try {
    accessSync(SETPRIV, constants.X_OK);
    return true;
  } catch {
    return false; // not Linux, or a very bare one
  }
}
