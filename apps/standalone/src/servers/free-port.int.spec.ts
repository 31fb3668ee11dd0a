import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { choosePorts, freePort, isPortFree } from './free-port.js';

let folder: string;
let file: string;
let occupant: Server | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ports-'));
  file = join(folder, 'ports.json');
});
afterEach(async () => {
  await new Promise<void>((resolve) => (occupant ? occupant.close(() => resolve()) : resolve()));
  occupant = undefined;
  rmSync(folder, { recursive: true });
});

async function occupy(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  occupant = server;
}

describe('ports', () => {
  it('stay the same from run to run', async () => {
    const first = await choosePorts(file, { nats: undefined, postgres: undefined });
    expect(first.nats).not.toBe(first.postgres);
    expect(await choosePorts(file, { nats: undefined, postgres: undefined })).toEqual(first);
  });

  it('change only where somebody else has taken one', async () => {
    const first = await choosePorts(file, { nats: undefined, postgres: undefined });
    await occupy(first.nats);
    const second = await choosePorts(file, { nats: undefined, postgres: undefined });
    expect(second.postgres).toBe(first.postgres);
    expect(second.nats).not.toBe(first.nats);
    expect(await isPortFree(first.nats)).toBe(false);
  });

  it('that are asked for are used, and remembered', async () => {
    const port = await freePort();
    expect(await choosePorts(file, { nats: port })).toEqual({ nats: port });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ nats: port });
  });

  it('that are asked for but in use are an error that says which, and what to do', async () => {
    const port = await freePort();
    await occupy(port);
    await expect(choosePorts(file, { nats: port })).rejects.toThrow(
      new RegExp(`Port ${port}, which was asked for nats, is in use .* ss -ltnp .* another port`),
    );
  });

  it('are chosen anew where the file was cut short', async () => {
    writeFileSync(file, '{"nats":');
    expect((await choosePorts(file, { nats: undefined })).nats).toBeGreaterThan(0);
  });
});
