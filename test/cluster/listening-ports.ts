import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from '#kernel/errors.js';

const LISTEN = '0A';

/** The addresses (hex, as /proc/net/tcp has them) and ports on which processes listen. */
export function listeningPorts(pids: readonly number[]): { address: string; port: number }[] {
  const own = new Set(pids.flatMap(socketsOf));
  return ['tcp', 'tcp6'].flatMap((table) =>
    readFileSync(`/proc/net/${table}`, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((columns) => columns[3] === LISTEN && own.has(columns[9]!))
      .map((columns) => {
        const [address = '', port = ''] = columns[1]!.split(':');
        return { address, port: Number.parseInt(port, 16) };
      }),
  );
}

function socketsOf(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  const descriptors = unlessGone(() => readdirSync(folder)) ?? [];
  return descriptors.flatMap((fd) => {
    const target = unlessGone(() => readlinkSync(`${folder}/${fd}`));
    return /^socket:\[(\d+)\]$/.exec(target ?? '')?.[1] ?? [];
  });
}

/** Undefined for a process that has ended meanwhile, as connections' processes of PostgreSQL do, or a descriptor that was closed. */
function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}
