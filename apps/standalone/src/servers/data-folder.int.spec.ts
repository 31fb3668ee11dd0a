import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { openDataFolder, reachableDataFolder } from './data-folder.js';
import { installSettings } from './postgres-cluster.js';
import { runCommand } from './system/command.js';
import { postgresUser } from './system/system-user.js';

let base: string;
beforeEach(async () => {
  base = await temporaryFolder();
});
afterEach(() => rmSync(base, { recursive: true }));

const isRoot = process.getuid?.() === 0;
const mode = (path: string): number => statSync(path).mode & 0o777;
/** PostgreSQL's user passes through where it is not ourselves. */
const CLOSED = isRoot ? 0o710 : 0o700;

describe('a data folder', () => {
  it('and all that is in it can be entered by its owner only', async () => {
    const folder = await openDataFolder(join(base, 'a/b/data'));
    expect(mode(folder.path)).toBe(CLOSED);
    for (const path of [folder.credentials, folder.nats, folder.media, folder.run]) {
      expect(mode(path)).toBe(0o700);
    }
    folder.close();
  });

  it('that was made by hand is closed to others', async () => {
    mkdirSync(join(base, 'data'), { mode: 0o755 });
    (await openDataFolder(join(base, 'data'))).close();
    expect(mode(join(base, 'data'))).toBe(CLOSED);
  });

  it('has one user at a time, and tells the other one which process that is', async () => {
    const path = join(base, 'data');
    const folder = await openDataFolder(path);
    await expect(openDataFolder(path)).rejects.toThrow(
      `Another Holdfast runs on ${path} (process ${process.pid})`,
    );
    folder.close();
    (await openDataFolder(path)).close();
  });

  it('is not locked through a symlink: what that leads to stays as it is', async () => {
    const path = join(base, 'data');
    (await openDataFolder(path)).close();
    writeFileSync(join(base, 'other'), 'precious');
    rmSync(join(path, 'lock'));
    symlinkSync(join(base, 'other'), join(path, 'lock'));
    await expect(openDataFolder(path)).rejects.toThrow(/Cannot use .* as the data folder: ELOOP/);
    expect(readFileSync(join(base, 'other'), 'utf8')).toBe('precious');
  });

  it('is left to the later version that made it', async () => {
    const path = join(base, 'data');
    (await openDataFolder(path)).close();
    writeFileSync(join(path, 'holdfast.json'), '{"layout":2}\n');
    await expect(openDataFolder(path)).rejects.toThrow(
      /a later version of Holdfast made this folder/,
    );
    writeFileSync(join(path, 'holdfast.json'), '');
    (await openDataFolder(path)).close();
  });

  it('is refused where it holds something else', async () => {
    writeFileSync(join(base, 'thesis.tex'), '');
    await expect(openDataFolder(base)).rejects.toThrow(/not Holdfast's \("thesis.tex"\)/);
  });

  it('is refused where it cannot be made', async () => {
    writeFileSync(join(base, 'file'), '');
    await expect(openDataFolder(join(base, 'file/data'))).rejects.toThrow(
      /Cannot use .* as the data folder/,
    );
  });
});

const asRoot = isRoot ? describe : describe.skip;
asRoot("a data folder of root's", () => {
  const user = postgresUser('/nowhere')!;
  const data = () => join(base, 'data');
  /** The exit code. */
  const asPostgres = async (command: string, ...args: string[]) =>
    (await runCommand(command, args, { user })).code;

  /** As versions before left it: PostgreSQL's user had the folder. */
  async function ofOld(): Promise<void> {
    (await openDataFolder(data())).close();
    mkdirSync(join(data(), 'postgres'), { mode: 0o700 });
    for (const path of [data(), join(data(), 'postgres')]) chownSync(path, user.uid, user.gid);
    chmodSync(data(), 0o700);
  }

  it("lets PostgreSQL's user through to its own folder, and change nothing else", async () => {
    await ofOld();
    (await openDataFolder(data())).close();
    expect(statSync(data())).toMatchObject({ uid: 0, gid: user.gid });
    expect(await asPostgres('touch', join(data(), 'postgres/file'))).toBe(0);
    expect(await asPostgres('mv', join(data(), 'credentials'), join(data(), 'away'))).not.toBe(0);
    expect(await asPostgres('ls', data())).not.toBe(0);
    expect(await asPostgres('ls', join(data(), 'credentials'))).not.toBe(0);
    const others = { name: 'nobody', uid: 65_534, gid: 65_534 };
    const entered = await runCommand('test', ['-x', data()], { user: others });
    if (user.uid !== others.uid) expect(entered.code).not.toBe(0);
  });

  it('is refused where something in it was replaced by another user, with its name', async () => {
    await ofOld();
    const credentials = join(data(), 'credentials');
    rmSync(credentials, { recursive: true });
    mkdirSync(credentials);
    chownSync(credentials, user.uid, user.gid);
    await expect(openDataFolder(data())).rejects.toThrow(`${credentials} belongs to user`);
    rmSync(credentials, { recursive: true });
    symlinkSync('/etc', credentials);
    lchownSync(credentials, user.uid, user.gid);
    await expect(openDataFolder(data())).rejects.toThrow(`${credentials} belongs to user`);
    rmSync(credentials);
    (await openDataFolder(data())).close();
  });

  it("gets PostgreSQL's settings written as its user, who leads root nowhere", async () => {
    await ofOld();
    writeFileSync(join(base, 'other'), 'precious');
    const shipped = join(base, 'shipped');
    mkdirSync(shipped, { mode: 0o700 });
    for (const name of ['postgresql.conf', 'pg_hba.conf']) writeFileSync(join(shipped, name), name);
    const cluster = join(data(), 'postgres');
    await installSettings(cluster, shipped, user);
    const settings = join(cluster, 'postgresql.conf');
    expect(readFileSync(settings, 'utf8')).toBe('postgresql.conf');
    expect(statSync(settings).uid).toBe(user.uid);
    rmSync(settings);
    symlinkSync(join(base, 'other'), settings);
    await expect(installSettings(cluster, shipped, user)).rejects.toThrow('Permission denied');
    expect(readFileSync(join(base, 'other'), 'utf8')).toBe('precious');
    expect(statSync(join(base, 'other')).uid).toBe(0);
  });
});

asRoot("a data folder that PostgreSQL's user cannot reach", () => {
  it('is refused with the folder that is in the way, and a name that works', async () => {
    mkdirSync(join(base, 'closed'));
    chmodSync(join(base, 'closed'), 0o700);
    await expect(openDataFolder(join(base, 'closed/data'))).rejects.toThrow(
      new RegExp(`cannot enter ${base}/closed. .* /var/lib/data-[0-9a-f]{8}`),
    );
  });

  it('is replaced where it was only a default', async () => {
    mkdirSync(join(base, 'closed'), { mode: 0o700 });
    const elsewhere = await reachableDataFolder(join(base, 'closed/.holdfast'));
    expect(elsewhere).toMatch(/^\/var\/lib\/holdfast-[0-9a-f]{8}$/);
    expect(await reachableDataFolder(join(base, '.holdfast'))).toBe(join(base, '.holdfast'));
  });
});
