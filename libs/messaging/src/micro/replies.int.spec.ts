import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Logger } from '@nestjs/common';
import { z } from 'zod';
import { endpoint, type RequestOf } from '#contracts/contract.js';
import { natsUsers } from '#contracts/permissions.js';
import { STREAMS } from '#contracts/streams.js';
import { startService, type RunningService } from '#service/run-service.js';
import { startNats, type TestNats } from '../../../../test/support/nats.js';
import { temporaryFolder } from '../../../../test/support/temporary-folder.js';
import { Answers } from '../answers.js';
import { Nats } from '../connection.js';
import { Requests } from '../requests.js';
import { Topology } from '../topology.js';

const ROOT = { name: 'root', permissions: { publish: ['>'], subscribe: ['>'] }, responds: true };

/** As the real one: it answers `{}`, which JetStream takes for a request to delete. */
const heartbeat = endpoint('broker', 'heartbeat', {
  description: 'Takes a sign of life',
  request: z.object({}),
  response: z.object({}),
});

let served = 0;

@Controller()
class BrokerHandlers {
  @Answers(heartbeat)
  async heartbeat(_request: RequestOf<typeof heartbeat>): Promise<Record<string, never>> {
    served += 1;
    return {};
  }
}

class BrokerModule {}

describe('a request', () => {
  const said: string[] = [];
  let server: TestNats;
  let service: RunningService;
  let root: Nats;
  let agent: Nats;

  const streams = async () => {
    const names: string[] = [];
    for await (const { config } of (await root.manager()).streams.list()) names.push(config.name);
    return names.toSorted();
  };

  beforeAll(async () => {
    const keep = (...words: unknown[]) => void said.push(words.join(' '));
    Logger.overrideLogger({ log: keep, warn: keep, error: keep, fatal: keep });
    server = await startNats({ users: [...natsUsers({ media: [], clients: ['c1.x'] }), ROOT] });
    root = await Nats.connect({ ...server.login('root'), clientName: 'root' });
    agent = await Nats.connect({ ...server.login('agent-c1.x'), clientName: 'agent' });
    await new Topology(root).ensureStreams(STREAMS);
    const { url, user, seed } = server.login('broker');
    const seedFile = join(await temporaryFolder(), 'broker.nk');
    writeFileSync(seedFile, seed);
    service = await startService(
      {
        name: 'broker',
        description: 'A service for this test',
        config: z.object({}),
        module: () => ({ module: BrokerModule, controllers: [BrokerHandlers] }),
      },
      { HOLDFAST_NATS_URL: url, HOLDFAST_NATS_USER: user, HOLDFAST_NATS_SEED_FILE: seedFile },
    );
  });

  afterAll(async () => {
    await service?.stop();
    await agent?.close();
    await root?.close();
    await server?.stop();
    Logger.overrideLogger(['error', 'warn', 'log']);
  });

  it('of an agent is answered in its inbox', async () => {
    expect(await new Requests(agent).call(heartbeat, {})).toEqual({});
  });

  it('of `nats req` is answered in its own kind of inbox', async () => {
    const operator = await server.connect('operator');
    const { subject, data } = await operator.request(heartbeat.subject, '', { timeout: 30_000 });
    expect(subject).toMatch(/^_INBOX\./);
    expect(new TextDecoder().decode(data)).toBe('{}');
    expect(
      (await operator.request('$SRV.PING.broker', '', { timeout: 30_000 })).json(),
    ).toMatchObject({
      name: 'broker',
    });
  });

  it('without a place for the answer is served', async () => {
    const before = served;
    agent.connection.publish(heartbeat.subject, '{}');
    await new Requests(agent).call(heartbeat, {});
    expect(served).toBe(before + 2);
  });

  it('that wants its answer where streams are deleted is not served, and said', async () => {
    const before = await streams();
    expect(before).toHaveLength(STREAMS.length);
    const reply = '$JS.API.STREAM.DELETE.HF_EVENT';
    served = 0;
    agent.connection.publish(heartbeat.subject, '{}', { reply });
    // One connection, so this comes behind it.
    await new Requests(agent).call(heartbeat, {});
    await service.stop();
    expect(await streams()).toEqual(before);
    expect(served).toBe(1);
    expect(said).toContainEqual(expect.stringContaining(`wants its answer on "${reply}"`));
  });
});
