import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

const LOOPBACK = '127.0.0.1';

/** A loopback port that nothing listens on now. */
export async function freePort(): Promise<number> {
  const port = await tryToListen(0);
  if (port === undefined) {
    throw new PermanentError(STATUS.cannotConnect, 'This machine has no free port on 127.0.0.1.');
  }
  return port;
}

export async function isPortFree(port: number): Promise<boolean> {
  return (await tryToListen(port)) !== undefined;
}

/**
 * A port for each name: the one that is asked for (it must be free: `PermanentError` otherwise), else
 * the one that `file` remembers from the last run where it is still free, else a new free one. The
 * file then remembers them all, so that addresses stay the same from run to run where they can.
 */
export async function choosePorts<Name extends string>(
  file: string,
  wanted: Readonly<Record<Name, number | undefined>>,
): Promise<Record<Name, number>> {
  const kept = readPorts(file);
  const chosen: Record<string, number> = {};
  for (const [name, port] of Object.entries<number | undefined>(wanted)) {
    chosen[name] =
      port === undefined ? await keptOrFree(kept[name], chosen) : await asked(name, port);
  }
  const all = { ...kept, ...chosen };
  if (JSON.stringify(all) !== JSON.stringify(kept)) {
    writeFileSync(file, `${JSON.stringify(all)}\n`, { mode: 0o600 });
  }
  return chosen as Record<Name, number>;
}

async function asked(name: string, port: number): Promise<number> {
  if (!(await isPortFree(port))) {
    throw new PermanentError(
      STATUS.cannotConnect,
      `Port ${port}, which was asked for ${name}, is in use on ${LOOPBACK}. ` +
        `See who has it with: ss -ltnp 'sport = :${port}'. Stop that, or choose another port, ` +
        'or leave the choice to Holdfast.',
      `ports.${name}`,
    );
  }
  return port;
}

async function keptOrFree(
  kept: number | undefined,
  taken: Record<string, number>,
): Promise<number> {
  const others = Object.values(taken);
  if (kept !== undefined && !others.includes(kept) && (await isPortFree(kept))) {
    return kept;
  }
  let port = await freePort();
  while (others.includes(port)) {
    port = await freePort();
  }
  return port;
}

function readPorts(file: string): Record<string, number> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const entries = Object.entries(value ?? {});
    return Object.fromEntries(entries.filter(([, port]) => Number.isInteger(port)));
  } catch {
    return {}; // no file yet, or one cut short by a crash: only a memory, so begin anew
  }
}

function tryToListen(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(undefined));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => {
      const { port: bound } = server.address() as AddressInfo;
      server.close(() => resolve(bound));
    });
  });
}
