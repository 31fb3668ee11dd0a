import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

import { DATABASE_CONNECTIONS_MAX } from '#service/config.js';
import { checkoutFolder } from './checkout-folder.js';
import { saysReady } from './postgres-server.js';

const lines = (pid: number, started: number, state: string): string =>
  `${pid}\n/cluster\n${started}\n5432\n\n127.0.0.1\n 1  2\n${state}\n`;

describe('a postmaster.pid', () => {
  it('says that its server is ready when it says so of that process', () => {
    const before = '';
    expect(saysReady(lines(700, 1_000, 'ready   '), { pid: 700, before })).toBe(true);
    expect(saysReady(lines(700, 1_000, 'starting'), { pid: 700, before })).toBe(false);
    expect(saysReady(lines(701, 1_000, 'ready   '), { pid: 700, before })).toBe(false);
    expect(saysReady('700\n/cluster\n', { pid: 700, before })).toBe(false);
    expect(saysReady('', { pid: 700, before })).toBe(false);
  });

  it('of a server that lost its power says nothing of one with the same process id', () => {
    const before = lines(700, 1_000, 'ready   ');
    expect(saysReady(before, { pid: 700, before })).toBe(false);
    expect(saysReady(lines(700, 2_000, 'ready   '), { pid: 700, before })).toBe(true);
  });
});

describe('the configuration of PostgreSQL', () => {
  it('takes as many connections as all services may be allowed', () => {
    const text = readFileSync(join(checkoutFolder(), 'deploy/postgres/postgresql.conf'), 'utf8');
    const [, max] = /^max_connections = (\d+)$/m.exec(text)!;
    expect(Number(max)).toBeGreaterThan(4 * DATABASE_CONNECTIONS_MAX);
  });
});
