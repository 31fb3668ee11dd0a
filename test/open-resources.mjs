/**
 * Loaded before Jest by `test/run.mjs`: tells, on SIGUSR2, what keeps this process from ending, so that
 * a test that leaves something open can be found.
 */
import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';

process.on('SIGUSR2', () => {
  console.log(
    `Still open: ${process.getActiveResourcesInfo().join(', ') || 'nothing that is known'}`,
  );
  // Undocumented, but the only way to tell which child or socket it is.
  for (const handle of process._getActiveHandles?.() ?? []) {
    console.log(`- ${describe(handle)}`);
  }
});

function describe(handle) {
  if (handle instanceof ChildProcess) {
    return `child ${handle.pid}: ${handle.spawnargs.join(' ')}`;
  }
  if (handle instanceof Socket) {
    const [local, remote] = [handle.localPort, handle.remotePort];
    return remote === undefined
      ? `pipe or terminal ${handle.fd ?? ''}`
      : `socket ${local} to ${remote}`;
  }
  if (handle instanceof Server) {
    return `server on ${JSON.stringify(handle.address())}`;
  }
  return handle.constructor?.name ?? typeof handle;
}
