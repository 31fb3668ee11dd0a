import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { z } from 'zod';
import {
  backupRequest,
  duplicateRequest,
  jobsList,
  jobsReport,
  MESSAGE_CHARACTERS_MAX,
  restoreRequest,
  verifyRequest,
} from './job.js';
import { madeStorable } from './names.js';

const REQUESTS: Readonly<Record<string, z.ZodType>> = {
  backup: backupRequest,
  restore: restoreRequest,
  duplicate: duplicateRequest,
  verify: verifyRequest,
};

const SAMPLES: Readonly<Record<string, object>> = {
  backup: { client: 'web1', selections: ['/etc'] },
  restore: { source: { imageId: 'web1_1' }, destination: '/tmp/r' },
  duplicate: { imageId: 'web1_1', toPool: 'copy' },
  verify: { imageId: 'web1_1' },
};

const refusal = (schema: z.ZodType, input: object) => {
  const issue = schema.safeParse(input).error?.issues[0];
  return issue && `${issue.path.join('.')}: ${issue.message}`;
};

describe('a request that makes a job', () => {
  it.each(Object.keys(REQUESTS))('%s names a field that there is not', (name) => {
    expect(refusal(REQUESTS[name]!, SAMPLES[name]!)).toBeUndefined();
    const misspelt = refusal(REQUESTS[name]!, { ...SAMPLES[name], requestID: 'x' });
    expect(misspelt).toMatch(/^: there is no field "requestID"; allowed are .*requestId/);
  });

  it('says what a source may be', () => {
    const from = (source: unknown) => refusal(restoreRequest, { source, destination: '/tmp/r' });
    for (const source of [{}, 'web1_1', { client: 'web1' }]) {
      expect(from(source)).toMatch(/^source: a source is \{"imageId": .*"client": /);
    }
    expect(from({ imageId: 'web1_1', exat: true })).toMatch(/^source: .*"exat".* imageId, exact$/);
    expect(from({ client: 'web1', at: '2026-01-31T18:00:00Z', polcy: 'p' })).toMatch(
      /^source: .*"polcy".* client, at, policy$/,
    );
    expect(from({ client: 'web1', at: '2026-01-31T18:00:00Z', policy: 'p' })).toBeUndefined();
  });

  it('is one as the documentation writes it', () => {
    const text = readFileSync(join(import.meta.dirname, '../../../docs/commands.md'), 'utf8');
    const written = [
      ...text.matchAll(/jobs\.(backup|restore|duplicate|verify) '(\{.+?\})'/g),
    ].filter(([, , json]) => json !== '{...}');
    expect(written.length).toBeGreaterThan(3);
    for (const [, name, json] of written) {
      const input = JSON.parse(json!.replaceAll('"I"', '"web1_1"')) as object;
      expect(refusal(REQUESTS[name!]!, input)).toBeUndefined();
    }
  });
});

describe('a list of jobs', () => {
  const refused = (filter: object) => refusal(jobsList.request, filter);

  it('says what a status may be', () => {
    expect(refused({ status: 'done' })).toMatch(/^status: .*"failed"/);
    expect(refused({ status: 'failed' })).toBeUndefined();
  });

  it('names a filter that there is not, and does not list everything', () => {
    const known = { client: 'web1', policy: 'on-demand', storage: 'default', before: 7, limit: 5 };
    expect(refused(known)).toBeUndefined();
    expect(refused({ ...known, clients: 'web1' })).toMatch(
      /^: there is no field "clients"; allowed are state, .*client, .*before, limit$/,
    );
  });

  it.each([
    [{ state: 'running' }, /^state: .*"queued".*"done"/],
    [{ type: 'copy' }, /^type: .*"backup".*"verify"/],
    [{ policy: 'my files' }, /^policy: a policy name has .*letters/],
    [{ schedule: '' }, /^schedule: a schedule name has .*letters/],
    [{ storage: 'a/b' }, /^storage: a storage unit name has .*letters/],
    [{ mediaId: 'a\0b' }, /^mediaId: a media server name has .*letters/],
    [{ since: 'yesterday' }, /^since: an instant is written in UTC/],
  ])('says what %j may be', (filter, why) => {
    expect(refused(filter)).toMatch(why);
  });
});

describe('a report', () => {
  const report = { job: 7, attempt: 1, from: 'agent', instance: 'web1' };
  const schema = jobsReport.request;

  it.each([
    [{ progress: { currentPath: 'x'.repeat(16_385) } }, /^progress.currentPath: Too big/],
    [{ result: { status: 1, message: 'x'.repeat(4_001) } }, /^result.message: Too big/],
    [{ result: { status: 1, message: 'a\0b' } }, /^result.message: a text holds no NUL/],
    [{ instance: 'x'.repeat(256) }, /^instance: Too big/],
  ])('with more than a job can hold is refused: %#', (more, refused) => {
    expect(refusal(schema, report)).toBeUndefined();
    expect(refusal(schema, { ...report, ...more })).toMatch(refused);
  });

  it('is made to fit by who reports', () => {
    const message = madeStorable(`a\0b\ud800${'x'.repeat(5_000)}`, MESSAGE_CHARACTERS_MAX);
    expect(message.startsWith('a\ufffdb\ufffdxx')).toBe(true);
    expect(refusal(schema, { ...report, result: { status: 1, message } })).toBeUndefined();
    expect(madeStorable('x😀', 2)).toBe('x\ufffd');
  });
});
