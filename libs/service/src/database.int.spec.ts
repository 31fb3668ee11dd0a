import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { MigrationInterface } from 'typeorm';
import { messageOf } from '#kernel/errors.js';
import { startPostgres } from '../../../test/support/postgres.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { openDatabase } from './database.js';

/** Of opening a database where nobody answers. */
async function saidOf(url: string): Promise<string> {
  const config = { HOLDFAST_DATABASE_URL: url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 2 };
  const owned = { schema: 'demo', entities: [], migrations: [] };
  return openDatabase(config, owned).then(
    () => 'it opened',
    (error: unknown) => messageOf(error),
  );
}

describe('A database that cannot be reached', () => {
  it.each([
    'postgres://user:sec:ret@127.0.0.1:1/db',
    'postgres://user:sec@ret@127.0.0.1:1/db',
    'postgres://user@127.0.0.1:1/db?password=secret',
    'postgresql://user:secret@127.0.0.1:1/db?sslmode=disable#secret',
  ])('is named without the password of %s', async (url) => {
    expect(await saidOf(url)).toMatch(
      /^Nothing answers at postgres(ql)?:\/\/user@127\.0\.0\.1:1\/db\. /,
    );
  });

  it.each(['postgres://user:1/secret@127.0.0.1:1/db', 'postgres://user:s/ecret@127.0.0.1:1/db'])(
    'is not shown where it is no address: %s',
    async (url) => {
      expect(await saidOf(url)).not.toMatch(/ecret/);
    },
  );
});

class First1700000000001 implements MigrationInterface {
  async up(): Promise<void> {}
  async down(): Promise<void> {}
}
class Second1700000000002 extends First1700000000001 {}

describe('A database', () => {
  it('that a later version has used is left to that one', async () => {
    const postgres = await startPostgres();
    try {
      const config = { HOLDFAST_DATABASE_URL: postgres.url, HOLDFAST_DATABASE_CONNECTIONS_MAX: 2 };
      const open = async (...migrations: (new () => MigrationInterface)[]) =>
        (await openDatabase(config, { schema: 'demo', entities: [], migrations })).destroy();
      await open(First1700000000001);
      await open(First1700000000001, Second1700000000002);
      await open(First1700000000001, Second1700000000002);
      await expect(open(First1700000000001)).rejects.toThrow(
        /by a later version of Holdfast \(it has Second1700000000002\)/,
      );
    } finally {
      await postgres.stop();
    }
  });

  it('takes the password from the URL, or else from the file', async () => {
    const folder = await temporaryFolder();
    const postgres = await startPostgres();
    try {
      const url = new URL(postgres.superuserUrl);
      const open = async (password: string) => {
        const file = join(folder, 'password');
        writeFileSync(file, `${password}\n`);
        const config = {
          HOLDFAST_DATABASE_URL: url.href,
          HOLDFAST_DATABASE_PASSWORD_FILE: file,
          HOLDFAST_DATABASE_CONNECTIONS_MAX: 2,
        };
        const owned = { schema: 'demo', entities: [], migrations: [] };
        await (await openDatabase(config, owned)).destroy();
      };
      await open('wrong');
      const { password } = url;
      url.password = '';
      await open(decodeURIComponent(password));
      await expect(open('wrong')).rejects.toThrow('refused the user or its password');
    } finally {
      await postgres.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
