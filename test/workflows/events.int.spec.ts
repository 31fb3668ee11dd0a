import { writeFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { cloudEvent, type CloudEvent } from '#contracts/event.js';
import { jobOf } from '../cluster/cluster-cli.js';
import { TestCluster } from '../cluster/cluster.js';
import { until } from '../support/until.js';

interface Heard {
  readonly subject: string;
  readonly contentType: string;
  readonly event: CloudEvent;
}

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await TestCluster.start();
});
afterAll(() => cluster?.stop());

describe('events', () => {
  it('tell of a backup as CloudEvents, to any NATS client and to `holdfast events --follow`', async () => {
    const heard: Heard[] = [];
    const nats = await cluster.connect();
    nats.subscribe('hf.evt.v1.>', {
      callback: (_error, message) => {
        const contentType = message.headers?.get('Content-Type') ?? '';
        heard.push({
          subject: message.subject,
          contentType,
          event: cloudEvent.parse(message.json()),
        });
      },
    });
    await nats.flush();
    const followed = cluster.startCli('events', '--follow', '--since', '1h ago');
    const file = cluster.path('file');
    writeFileSync(file, 'some text\n');
    const job = jobOf(await cluster.cli('backup', file));
    const typesOf = (prefix: string) =>
      heard.filter(({ subject }) => subject.startsWith(prefix)).map(({ event }) => event.type);
    // Each service tells what is its own: the catalog's last word may come behind the job's.
    const last = ['job.done', 'image.completed', 'fragment.committed'];
    await until(() => last.every((type) => typesOf(`hf.evt.v1.${type}.`).length > 0), {
      what: 'the last event of each service',
    });

    const jobTypes = typesOf('hf.evt.v1.job.').filter((type) => !type.includes('progressed'));
    expect(jobTypes).toEqual([
      'io.holdfast.job.queued.v1',
      'io.holdfast.job.active.v1',
      'io.holdfast.job.done.v1',
    ]);
    expect(typesOf('hf.evt.v1.image.')).toEqual([
      'io.holdfast.image.begun.v1',
      'io.holdfast.image.completed.v1',
    ]);
    expect(typesOf('hf.evt.v1.fragment.')).toEqual(['io.holdfast.fragment.committed.v1']);
    for (const { contentType } of heard) expect(contentType).toBe('application/cloudevents+json');
    const committed = heard.find(({ event }) => event.type.includes('fragment.committed'))!;
    expect(committed.event).toMatchObject({
      source: '/holdfast/catalog',
      data: { imageId: job.imageId, copy: 1, fragments: [{ number: 1, last: true }] },
    });

    const idsOf = (events: readonly { id: string }[]) => events.map(({ id }) => id);
    const isKept = ({ type }: CloudEvent) => type !== 'io.holdfast.job.progressed.v1';
    const expected = idsOf(heard.map(({ event }) => event).filter(isKept));
    const printed = () => idsOf(followed.records() as CloudEvent[]);
    await until(() => expected.every((id) => printed().includes(id)), {
      what: 'holdfast events --follow to print them',
    });
    expect(new Set(printed()).size).toBe(printed().length);
    followed.signal('SIGINT');
    expect(await followed.end()).toMatchObject({ exitCode: 130, stderr: '' });
  });

  it('can be read afterwards, of one kind', async () => {
    const result = await cluster.text('events', 'image.completed');
    expect(result).toMatchObject({ exitCode: 0 });
    expect(result.stdout.trim().split('\n')).toHaveLength(1);
    expect(result.stdout).toContain('image');
  });
});
