import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { z } from 'zod';
import { endpoint, type RequestOf } from '#contracts/contract.js';
import { NotFound, PermanentError, Unavailable } from '#kernel/errors.js';
import { startService, type RunningService } from '#service/run-service.js';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { until } from '../../../../test/support/until.js';
import { Answers } from '../answers.js';
import { Nats } from '../connection.js';
import { discover } from './discovery.js';
import { Requests } from '../requests.js';

const double = endpoint('demo', 'double', {
  description: 'Doubles a number',
  request: z.object({ n: z.int().max(100).default(1) }),
  response: z.object({ doubled: z.int() }),
});
const lookUp = endpoint('demo', 'look-up', {
  description: 'Finds nothing',
  request: z.object({ fails: z.enum(['not-found', 'away', 'bug']) }),
  response: z.object({}),
});

@Controller()
class DemoHandlers {
  @Answers(double)
  async double({ n }: RequestOf<typeof double>) {
    return { doubled: n * 2 };
  }

  @Answers(lookUp)
  async lookUp({ fails }: RequestOf<typeof lookUp>): Promise<Record<string, never>> {
    if (fails === 'not-found') throw new NotFound('policy', 'p', 230);
    if (fails === 'away') throw new Unavailable('The disk is away.', 25);
    throw new TypeError('secret internals');
  }
}

class DemoModule {}

describe('a service on NATS', () => {
  let server: TestNats;
  let service: RunningService;
  let plain: NatsConnection;
  let nats: Nats;

  beforeAll(async () => {
    server = await startNats();
    const { url, user, seed } = server.login();
    const seedFile = join(await temporaryFolder(), 'test.nk');
    writeFileSync(seedFile, seed);
    service = await startService(
      {
        name: 'demo',
        description: 'A service for this test',
        config: z.object({}),
        module: () => ({ module: DemoModule, controllers: [DemoHandlers] }),
      },
      {
        HOLDFAST_NATS_URL: url,
        HOLDFAST_NATS_USER: user,
        HOLDFAST_NATS_SEED_FILE: seedFile,
      },
    );
    plain = await server.connect();
    nats = await Nats.connect({ url, user, seed, clientName: 'spec' });
  });

  afterAll(async () => {
    await nats?.close();
    await service?.stop();
    await server?.stop();
  });

  const ask = async (subject: string, body: string) => {
    const reply = await plain.request(subject, body, { timeout: 30_000 });
    return { body: reply.json<Record<string, unknown>>(), headers: reply.headers };
  };

  it('takes raw JSON and answers raw JSON', async () => {
    const { body, headers } = await ask('hf.svc.v1.demo.double', '{"n":21}');
    expect(body).toEqual({ doubled: 42 });
    expect(headers).toBeUndefined();
  });

  it('takes an empty body for the defaults', async () => {
    expect((await ask('hf.svc.v1.demo.double', '')).body).toEqual({ doubled: 2 });
  });

  it('answers bad input with headers and a body that names the field', async () => {
    const { body, headers } = await ask('hf.svc.v1.demo.double', '{"n":"x"}');
    expect(headers?.get('Nats-Service-Error-Code')).toBe('20');
    expect(headers?.get('Nats-Service-Error')).toContain('n: ');
    expect(body).toMatchObject({ error: { status: 20, field: 'n', retryable: false } });
  });

  it('answers what is not JSON in words', async () => {
    const { body } = await ask('hf.svc.v1.demo.double', '{"n":');
    expect(body).toMatchObject({ error: { status: 20 } });
  });

  it('keeps the text of a bug to itself', async () => {
    const { body } = await ask('hf.svc.v1.demo.look-up', '{"fails":"bug"}');
    expect(JSON.stringify(body)).not.toContain('secret');
    expect(body).toMatchObject({ error: { status: 130, retryable: true } });
  });

  it('gives our own client the same errors as classes', async () => {
    const requests = new Requests(nats);
    expect(await requests.call(double, { n: 4 })).toEqual({ doubled: 8 });
    const refused = requests.call(lookUp, { fails: 'not-found' });
    await expect(refused).rejects.toMatchObject({ status: 230, field: 'policy' });
    await expect(refused).rejects.toBeInstanceOf(PermanentError);
    await expect(requests.call(lookUp, { fails: 'away' })).rejects.toBeInstanceOf(Unavailable);
    const nobody = endpoint('nobody', 'home', { ...double });
    await expect(requests.call(nobody, {})).rejects.toThrow('is it running?');
    const long = { ...double, request: z.object({ text: z.string() }) };
    const tooLong = requests.call(long, { text: 'x'.repeat(2 ** 21) });
    await expect(tooLong).rejects.toThrow('demo (double) is larger than a message may be');
    await expect(tooLong).rejects.toBeInstanceOf(PermanentError);
  });

  it('shows itself to `nats micro` as ADR-32 says', async () => {
    const { body: ping } = await ask('$SRV.PING.demo', '');
    expect(ping).toMatchObject({ type: 'io.nats.micro.v1.ping_response', name: 'demo' });
    const id = String(ping['id']);
    const { body: info } = await ask(`$SRV.INFO.demo.${id}`, '');
    expect(info).toMatchObject({
      type: 'io.nats.micro.v1.info_response',
      id,
      description: 'A service for this test',
      endpoints: expect.arrayContaining([
        expect.objectContaining({
          name: 'double',
          subject: 'hf.svc.v1.demo.double',
          queue_group: 'q',
        }),
      ]),
    });
    const { body: stats } = await ask('$SRV.STATS', '');
    expect(stats).toMatchObject({ type: 'io.nats.micro.v1.stats_response' });
    const endpoints = stats['endpoints'] as Record<string, unknown>[];
    const counted = endpoints.find(({ name }) => name === 'double');
    expect(counted).toMatchObject({ num_errors: 2, last_error: expect.any(String) });
    expect(Number(counted?.['num_requests'])).toBeGreaterThanOrEqual(5);
    expect(Number(counted?.['average_processing_time'])).toBeGreaterThan(0);
  });

  it('is found with its place and what it did by whoever asks all', async () => {
    await new Requests(nats).call(double, { n: 1 });
    const isAny = (all: readonly unknown[]) => all.length > 0;
    const [found, ...others] = await until(() => discover(nats, 200), { is: isAny });
    expect(others).toEqual([]);
    expect(found).toMatchObject({
      service: 'demo',
      startedAt: expect.any(String),
      metadata: { instance: found!.id, pid: String(process.pid), host: expect.any(String) },
    });
    expect(found!.requests).toBeGreaterThan(0);
  });

  it('reports its health', async () => {
    const { body } = await ask('hf.svc.v1.demo.health', '{}');
    expect(body).toMatchObject({ service: 'demo', checks: [{ name: 'nats', ok: true }] });
  });
});

describe('connecting', () => {
  it('says so when the credentials are refused', async () => {
    const server = await startNats();
    const other = await startNats();
    try {
      const wrong = { ...server.login(), seed: other.login().seed, clientName: 'spec' };
      await expect(Nats.connect(wrong)).rejects.toThrow('refused the credentials');
    } finally {
      await server.stop();
      await other.stop();
    }
  });

  it('says so when nobody is there', async () => {
    const gone = await startNats();
    const login = { ...gone.login(), clientName: 'spec' };
    await gone.stop();
    await expect(Nats.connect(login)).rejects.toThrow('Nothing answers');
  });
});
