import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { Endpoint, InputOf, ResponseOf } from '#contracts/contract.js';
import { natsUsers, type NatsUser } from '#contracts/permissions.js';
import { CONSUMERS, STREAMS } from '#contracts/streams.js';
import { Nats } from '#messaging/connection.js';
import { Requests, type CallOptions } from '#messaging/requests.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { until } from '../../../../test/support/until.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { startPostgres, type TestPostgres } from '../../../../test/support/postgres.js';
import { Comparisons } from '../care/comparisons.js';
import { eraOf } from '../persistence/catalog-epoch.js';
import { catalogDefinition } from '../catalog.definition.js';
import { MEDIA } from './commit.js';

export const OTHER_MEDIA = 'm2';
const JOBS_USER = 'jobs';
const ANSWER_MS_MAX = 60_000;

/** Stands beside the cluster's own users, where a test looks at what nobody else may see. */
const OBSERVER: NatsUser = {
  name: 'observer',
  permissions: { publish: ['>'], subscribe: ['>'] },
  responds: true,
};

/** The catalogs, their database and the test share a machine that may be busy. */
class PatientRequests extends Requests {
  override call<E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
    options: CallOptions = {},
  ): Promise<ResponseOf<E>> {
    return super.call(endpoint, input, { timeoutMs: ANSWER_MS_MAX, ...options });
  }
}

/** A real nats-server with the shipped permissions, a real PostgreSQL, and catalogs on them. */
export class CatalogHarness {
  private readonly catalogs: RunningService[] = [];
  private readonly connections: Nats[] = [];

  private constructor(
    readonly nats: TestNats,
    readonly postgres: TestPostgres,
    /** Sees the tables of the catalog. */
    readonly database: DataSource,
    private readonly folder: string,
  ) {}

  static async start(): Promise<CatalogHarness> {
    // The faults that tests make are told in the log, as they should be; here nobody reads them.
    Logger.overrideLogger(false);
    const users = [...natsUsers({ media: [MEDIA, OTHER_MEDIA], clients: [] }), OBSERVER];
    const [nats, postgres, folder] = await Promise.all([
      startNats({ users }),
      startPostgres(),
      mkdtemp(join(tmpdir(), 'holdfast-catalog-')),
    ]);
    const database = new DataSource({
      type: 'postgres',
      url: postgres.url,
      extra: { options: '-c search_path=catalog' },
    });
    await database.initialize();
    const harness = new CatalogHarness(nats, postgres, database, folder);
    const topology = new Topology(await harness.connect('topology'));
    await topology.ensureStreams(STREAMS);
    await topology.ensureConsumers(CONSUMERS);
    return harness;
  }

  /** One more catalog; all share the consumer and the tables. `settings` go over its defaults. */
  async startCatalog(settings: Readonly<Record<string, string>> = {}): Promise<RunningService> {
    const { seed, url, user } = this.nats.login('catalog');
    const seedFile = join(this.folder, 'catalog.nk');
    await writeFile(seedFile, seed);
    const service = await startService(catalogDefinition, {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: user,
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_DATABASE_URL: this.postgres.url,
      ...settings,
    });
    this.catalogs.push(service);
    return service;
  }

  /** As if the media servers had been compared with the catalog; tests have none that could be. */
  async compared(service: RunningService): Promise<void> {
    const comparisons = service.app.get(Comparisons);
    const era = await until(() => eraOf(this.database), { is: (text) => text !== '' });
    for (const mediaId of [MEDIA, OTHER_MEDIA]) comparisons.mark(mediaId, era);
  }

  /** What is marked of these images may be deleted after so long, by default at once; of all in the same moment. */
  async endGrace(imageIds: readonly string[], after = '0'): Promise<void> {
    await this.database.query(
      `UPDATE fragment SET deletable_at = now() + $2::interval
       WHERE image_id = ANY($1) AND deletable_at IS NOT NULL`,
      [imageIds, after],
    );
  }

  async connect(user: string): Promise<Nats> {
    const nats = await Nats.connect({ ...this.nats.login(user), clientName: `test ${user}` });
    this.connections.push(nats);
    return nats;
  }

  async requests(user = JOBS_USER): Promise<Requests> {
    return new PatientRequests(await this.connect(user));
  }

  async stop(): Promise<void> {
    for (const catalog of this.catalogs) await catalog.stop();
    for (const nats of this.connections) await nats.close();
    await this.database.destroy();
    await this.nats.stop();
    await this.postgres.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}
