import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { Client } from 'pg';

import type { TestCluster } from './cluster.js';

/**
 * The cluster's PostgreSQL as its superuser sees it. A test holds something in it, so that a service
 * stands still at a known point of its work; the hold ends with the connection, or with the server.
 */
export class ClusterDatabase {
  private constructor(private readonly client: Client) {}

  static async connect(cluster: TestCluster): Promise<ClusterDatabase> {
    const read = (...names: string[]) => readFileSync(join(cluster.dataFolder, ...names), 'utf8');
    const { postgres: port } = JSON.parse(read('ports.json')) as { postgres: number };
    const client = new Client({
      ...{ host: '127.0.0.1', port, database: 'holdfast', user: 'postgres' },
      password: read('credentials/postgres-superuser.password').trim(),
    });
    client.on('error', () => undefined); // the tests kill the server
    await client.connect();
    return new ClusterDatabase(client);
  }

  async query<Row extends object = Record<string, unknown>>(sql: string): Promise<Row[]> {
    return (await this.client.query<Row>(sql)).rows;
  }

  /** Backends of the catalog that wait for a lock, or for whatever else `event` names. */
  async waiting(event: string): Promise<number[]> {
    const rows = await this.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity
       WHERE usename = 'holdfast_catalog' AND '${event}' IN (wait_event, wait_event_type)`,
    );
    return rows.map(({ pid }) => pid);
  }

  async end(): Promise<void> {
    await this.client.end().catch(() => undefined);
  }
}
