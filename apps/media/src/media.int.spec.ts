import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { brokerHeartbeat } from '#contracts/broker.js';
import {
  instanceSubject,
  subjectOf,
  type Endpoint,
  type InputOf,
  type ResponseOf,
} from '#contracts/contract.js';
import { fragmentDeleteMessage } from '#contracts/fragment.js';
import { healthEndpoint } from '#contracts/health.js';
import {
  mediaAdopt,
  mediaDrain,
  mediaInventory,
  mediaManifests,
  mediaOfferAgain,
  mediaOpenRead,
  mediaTakeBack,
  mediaVerifyFragment,
} from '#contracts/media.js';
import { natsUsers } from '#contracts/permissions.js';
import { STREAMS } from '#contracts/streams.js';
import { mediaTaskMessage, type MediaTask } from '#contracts/task.js';
import { Clock } from '#kernel/clock.js';
import { randomToken } from '#kernel/ids.js';
import { Nats } from '#messaging/connection.js';
import { Topology } from '#messaging/topology.js';
import { startService, type RunningService } from '#service/run-service.js';
import { testFolder, type TestFolder } from '#storage/testing/small-volume.js';
import { FragmentWriterClient } from '#transfer/fragment-writer-client.js';
import { until } from '../../../test/support/until.js';
import { startNats, type TestNats } from '../../../test/support/nats.js';
import { temporaryFolder } from '../../../test/support/temporary-folder.js';
import { mediaDefinition } from './media.definition.js';
import { ControlOnTheWire } from './testing/control-on-the-wire.js';
import { SAMPLE_DETAILS, TestMediaServer } from './testing/media-server.js';
import { MemoryCatalog } from './testing/memory-catalog.js';
import { sampleBackup, sendBackup, sendContent } from './testing/sample-backup.js';

const EVERYTHING = {
  name: 'test',
  permissions: { publish: ['>'], subscribe: ['>'] },
  responds: true,
};
const IMAGE = {
  ...{ imageId: 'web1_1790000000', client: 'web1', policy: 'daily', kind: 'full' as const },
  ...{ backupTime: 1_790_000_000, details: SAMPLE_DETAILS },
};

/** With the rights that a media server has, and no other. */
describe('the media server', () => {
  let server: TestNats;
  let plain: NatsConnection;
  let folder: TestFolder;
  let control: ControlOnTheWire;
  let service: RunningService;
  let environment: Record<string, string>;
  let jobs = 0;
  const said: string[] = [];

  beforeAll(async () => {
    const keep = (...words: unknown[]) => void said.push(words.join(' '));
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, fatal: keep });
    const users = natsUsers({ media: ['media1'], clients: [] });
    server = await startNats({ users: [EVERYTHING, ...users] });
    const { url, user, seed } = server.login('test');
    const nats = await Nats.connect({ url, user, seed, clientName: 'topology' });
    await new Topology(nats).ensureStreams(STREAMS);
    await nats.close();
    const seedFile = join(await temporaryFolder(), 'media.nk');
    writeFileSync(seedFile, server.login('media-media1').seed);
    environment = {
      HOLDFAST_NATS_URL: url,
      HOLDFAST_NATS_USER: 'media-media1',
      HOLDFAST_NATS_SEED_FILE: seedFile,
      HOLDFAST_MEDIA_ID: 'media1',
      HOLDFAST_MEDIA_RESERVE_BYTES: '0',
    };
    plain = await server.connect('test');
  });
  afterAll(async () => {
    await server?.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  beforeEach(async () => {
    folder = testFolder();
    const catalog = new MemoryCatalog();
    const alone = await TestMediaServer.start({ folder: join(folder.path, 'disk'), catalog });
    const shape = { fragments: 3, framesEach: 2, frameBytes: 20_000 };
    await sendBackup((await alone.write()).writer, await sampleBackup(shape));
    await alone.stop();
    control = new ControlOnTheWire(plain, catalog);
    control.sources.add(catalog.committed.values());
    const volumes = `disk=${folder.path}/disk,vault=${folder.path}/vault`;
    environment = { ...environment, HOLDFAST_MEDIA_VOLUMES: volumes };
    service = await startService(mediaDefinition, environment);
  });
  afterEach(async () => {
    await service.stop();
    control.stop();
    folder.dispose();
  });

  const request = (subject: string, body: unknown) =>
    plain.request(subject, JSON.stringify(body), { timeout: 60_000 });
  const ask = async <E extends Endpoint>(
    endpoint: E,
    input: InputOf<E>,
  ): Promise<ResponseOf<E>> => {
    const subject = instanceSubject(endpoint, 'media1');
    const reply = await request(subject, input);
    return endpoint.response.parse(reply.json()) as ResponseOf<E>;
  };
  const give = (task: MediaTask) =>
    request(subjectOf(mediaTaskMessage, 'media1', String(task.job)), task);
  const seen = async () =>
    (await ask(mediaInventory, {})).entries.map(
      ({ copy, number, journal, bytes }) => `${copy}/${number} ${journal} ${bytes}`,
    );
  /** Whoever reads the identity of this volume waits from now on, until the answer is let go. */
  const hang = (volume: string): (() => Promise<void>) => {
    const identity = join(folder.path, volume, 'volume.json');
    const content = readFileSync(identity);
    renameSync(identity, `${identity}.away`);
    execFileSync('mkfifo', [identity]);
    return async () => {
      // Opening it waits for a reader, which may be this very process: so not on its main thread.
      const fifo = await open(identity, 'w');
      renameSync(`${identity}.away`, identity);
      await fifo.writeFile(content);
      await fifo.close();
    };
  };
  const nextJob = () => ({ job: (jobs += 1), attempt: 1 });

  it('duplicates and verifies as its tasks say, and reports', async () => {
    const image = { ...IMAGE, copy: 2, copyAttempt: 1 };
    const copying = nextJob();
    await give({ type: 'duplicate', ...copying, pool: 'vault', image, missing: 3, sources: [] });
    // Nobody takes commits from the broker here: the catalog is offered them directly.
    await until(async () => (await seen()).filter((one) => /^2.*SEALED/.test(one)).length === 3);
    const copied = (await ask(mediaInventory, {})).entries.filter(({ copy }) => copy === 2);
    const fragmentIds = copied.map(({ fragmentId }) => fragmentId);
    expect(await ask(mediaOfferAgain, { fragmentIds })).toEqual({ offered: 3 });
    expect(await control.resultOf(copying.job)).toMatchObject({ status: 0, fragments: 3 });
    expect(control.lines.get(copying.job)).toEqual([
      expect.stringMatching(/^started process media/),
      'Initiating optimized duplication from @media1/disk to @media1/vault',
      ...Array.from({ length: 3 }, () => [
        'begin writing',
        expect.stringMatching(/^end writing; write time: \d+:\d\d:\d\d$/),
      ]).flat(),
    ]);
    const verifying = nextJob();
    await give({ type: 'verify', ...verifying, imageId: IMAGE.imageId });
    expect(await control.resultOf(verifying.job)).toMatchObject({ status: 0, fragments: 3 });
  });

  it('removes what is granted, and brings it back when it is asked to', async () => {
    const [first] = control.catalog.committed.keys();
    const grant = control.catalog.grant(first!);
    await request(subjectOf(fragmentDeleteMessage, 'media1', first!), grant);
    await until(() => control.catalog.deleted.length === 1);
    expect(await seen()).toContain('1/1 REMOVED trash');
    const check = await ask(mediaVerifyFragment, { fragmentId: first! });
    expect(check).toMatchObject({ bytes: 'trash', reason: '' });
    expect(await ask(mediaTakeBack, { fragmentIds: [first!] })).toEqual({ takenBack: 1 });
    expect(await seen()).toContain('1/1 SEALED whole');
    expect(await ask(mediaVerifyFragment, { fragmentId: first! })).toMatchObject({
      bytes: 'whole',
    });
  });

  it('lives on with a volume that cannot be looked at, and names it', async () => {
    renameSync(join(folder.path, 'vault'), join(folder.path, 'vault.away'));
    for await (const beat of plain.subscribe(brokerHeartbeat.subject)) {
      const { volumes } = brokerHeartbeat.request.parse(beat.json()) as {
        volumes: { pool: string; freeBytes: number; trouble?: string }[];
      };
      // One that was on its way already knows nothing of it.
      if (volumes.every(({ trouble }) => trouble === undefined)) continue;
      expect(volumes.map(({ pool, trouble }) => [pool, trouble])).toEqual([
        ['disk', undefined],
        ['vault', expect.stringMatching(/is not there: see .*vault /)],
      ]);
      expect(volumes[0]!.freeBytes).toBeGreaterThan(0);
      break;
    }
    const health = await request(healthEndpoint('media').subject, {});
    const { checks } = healthEndpoint('media').response.parse(health.json());
    expect(checks.filter(({ ok }) => !ok)).toEqual([
      expect.objectContaining({ name: `volume ${folder.path}/vault of pool vault` }),
    ]);
    expect(said.filter((line) => /vault" cannot be used, the others can/.test(line))).toHaveLength(
      1,
    );
    renameSync(join(folder.path, 'vault.away'), join(folder.path, 'vault'));
  });

  it('lives on with a volume that does not answer', async () => {
    const letAnswer = hang('vault');
    for await (const beat of plain.subscribe(brokerHeartbeat.subject)) {
      const { volumes } = brokerHeartbeat.request.parse(beat.json()) as {
        volumes: { freeBytes: number; trouble?: string }[];
      };
      expect(volumes[0]!.freeBytes).toBeGreaterThan(0);
      const late = 'it has not answered for 3 s';
      if (volumes[1]!.trouble === late) break;
    }
    // One read waits, however often it was looked at; it gets what is there.
    await letAnswer();
    for await (const beat of plain.subscribe(brokerHeartbeat.subject)) {
      const { volumes } = beat.json<{ volumes: { trouble?: string }[] }>();
      if (volumes[1]!.trouble === undefined) break;
    }
  });

  it('counts a volume of which not all can be read as away, and starts', async () => {
    const idOf = (name: string) =>
      JSON.parse(readFileSync(join(folder.path, name, 'volume.json'), 'utf8')).volumeId;
    expect((await ask(mediaInventory, {})).volumes).toEqual([idOf('disk'), idOf('vault')]);
    await service.stop();
    said.length = 0;
    const trash = join(folder.path, 'disk/.trash/01920000-0000-7000-8000-0000000000aa');
    mkdirSync(join(folder.path, 'disk/.trash'));
    symlinkSync(trash, trash);
    service = await startService(mediaDefinition, environment);
    expect(await seen()).toEqual([
      '1/1 COMMITTED whole',
      '1/2 COMMITTED whole',
      '1/3 COMMITTED whole',
    ]);
    expect((await ask(mediaInventory, {})).volumes).toEqual([idOf('vault')]);
    expect(said.join('\n')).toMatch(
      /Not all of the volume \S+disk of pool "disk" .* ELOOP.*\.trash/,
    );
  });

  it('says that it is not ready yet to whoever asks while its volumes are being opened', async () => {
    await service.stop();
    said.length = 0;
    const letAnswer = hang('vault');
    const starting = startService(mediaDefinition, environment);
    const subject = instanceSubject(mediaDrain, 'media1');
    const drain = JSON.stringify({ imageId: IMAGE.imageId, copy: 1 });
    const asked = () => plain.request(subject, drain).catch(() => undefined);
    const answer = await until(asked, { is: (message) => message !== undefined });
    await letAnswer();
    service = await starting;
    const message = 'the media server media1 is still opening its volumes';
    expect(answer!.json()).toMatchObject({ error: { status: 25, message, retryable: true } });
    expect(said.filter((line) => /Ruled-out|still opening/.test(line))).toEqual([]);
    expect(await ask(mediaDrain, { imageId: IMAGE.imageId, copy: 1 })).toEqual({ open: 0 });
  });

  it('drains what an attempt has written, without the broker', async () => {
    const { address } = await ask(mediaOpenRead, { imageId: IMAGE.imageId });
    const image = { ...IMAGE, imageId: 'web1_1790000009', copy: 1, copyAttempt: 1 };
    const token = randomToken();
    const resume = { nextNumber: 1, archiveOffset: 0 };
    const fragmentBytesMax = 64 * 1024 * 1024;
    await give({
      type: 'write',
      ...nextJob(),
      token,
      pool: 'disk',
      fragmentBytesMax,
      image,
      resume,
    });
    const job = jobs;
    await until(() => control.lines.has(job));
    // The agent has waited for its turn on the client meanwhile.
    const clock = service.app.get(Clock);
    const hours = jest.spyOn(clock, 'now');
    hours.mockImplementation(() => new Date(Date.now() + 3 * 3_600_000));
    const writer = await FragmentWriterClient.connect({ ...address, token });
    hours.mockRestore();
    const backup = await sampleBackup({ fragments: 3, framesEach: 2, frameBytes: 20_000 });
    for (const fragment of backup.slice(0, 2)) {
      await sendContent(writer, fragment);
      await writer.seal(fragment.claim);
    }
    const { imageId, copy } = image;
    expect(await ask(mediaDrain, { imageId, copy })).toEqual({ open: 0 });
    const committed = [...control.catalog.committed.values()].filter(
      (one) => one.imageId === imageId,
    );
    expect(committed.map(({ number }) => number)).toEqual([1, 2]);
    await expect(
      sendContent(writer, backup[2]!).then(() => writer.seal(backup[2]!.claim)),
    ).rejects.toMatchObject({ status: 150 });
  });

  it('opens a volume whose journal is gone, says so loudly, and can adopt what lies there', async () => {
    await service.stop();
    rmSync(join(folder.path, 'disk/journal'), { recursive: true });
    said.length = 0;
    service = await startService(mediaDefinition, environment);
    expect(await seen()).toEqual(['1/1 none whole', '1/2 none whole', '1/3 none whole']);
    expect(said.filter((line) => /JOURNAL .* MISSING/.test(line))).toHaveLength(1);
    const fragmentIds = [...control.catalog.committed.keys()];
    expect(await ask(mediaAdopt, { fragmentIds })).toEqual({ adopted: 3 });
    expect(await ask(mediaOfferAgain, { fragmentIds })).toEqual({ offered: 3 });
    expect(await seen()).toEqual([
      '1/1 COMMITTED whole',
      '1/2 COMMITTED whole',
      '1/3 COMMITTED whole',
    ]);
    const { manifests } = await ask(mediaManifests, {});
    expect(manifests.map(({ manifest }) => manifest['number'])).toEqual([1, 2, 3]);
  });
});
