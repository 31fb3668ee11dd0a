import { describe, expect, it } from '@jest/globals';
import { instanceSubject, subjectOf, subjectToken } from './contract.js';
import { envelope } from './event.js';
import { fragmentCommitMessage } from './fragment.js';
import { jobDone, jobsList } from './job.js';
import { mediaOpenRead } from './media.js';
import { policySpec } from './policy.js';

describe('subjects', () => {
  it('turn the dots of a host name into underscores', () => {
    expect(subjectToken('web1.example.com')).toBe('web1_example_com');
    expect(subjectToken('a b*')).toBe('a=20b=2a');
  });

  it('have their ids last', () => {
    expect(jobsList.subject).toBe('hf.svc.v1.jobs.list');
    expect(instanceSubject(mediaOpenRead, 'm1.local')).toBe('hf.svc.v1.media.open-read.m1_local');
    expect(subjectOf(fragmentCommitMessage, 'm1', 'f1')).toBe('hf.int.v1.frag.commit.m1.f1');
  });
});

describe('an event', () => {
  it('is a CloudEvent whose type comes from its subject', () => {
    const time = new Date('2026-01-01T00:00:00Z');
    const event = envelope(jobDone, { id: 'e1', source: 'jobs', subject: '7', time, data: {} });
    expect(event).toMatchObject({ specversion: '1.0', type: 'io.holdfast.job.done.v1' });
  });
});

describe('a policy', () => {
  it('needs a name, clients and selections; the rest has defaults', () => {
    const policy = policySpec.parse({ name: 'p', clients: ['web1'], selections: ['/etc'] });
    expect(policy.schedules).toEqual([{ name: 'full', type: 'full', retention: '14d' }]);
  });

  it('names the field that is wrong', () => {
    const result = policySpec.safeParse({ name: 'p', clients: ['web1'], selections: ['etc'] });
    expect(result.error?.issues[0]).toMatchObject({ path: ['selections', 0] });
  });
});
