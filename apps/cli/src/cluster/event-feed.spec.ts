import { describe, expect, it } from '@jest/globals';
import { eventSubject } from './event-feed.js';

describe('a filter of events', () => {
  it.each([
    [undefined, 'hf.evt.v1.>'],
    ['job', 'hf.evt.v1.job.>'],
    ['job.done', 'hf.evt.v1.job.done.>'],
    ['job.*.7', 'hf.evt.v1.job.*.7'],
    ['job.>', 'hf.evt.v1.job.>'],
    ['hf.evt.v1.image.completed.>', 'hf.evt.v1.image.completed.>'],
  ])('%s is the subject %s', (filter, subject) => {
    expect(eventSubject(filter)).toBe(subject);
  });

  it.each(['', 'job..done', 'job.>.7', 'a b'])('%j is none', (filter) => {
    expect(() => eventSubject(filter)).toThrow('is no filter of events');
  });

  it('of what is kept nowhere says where to follow it', () => {
    expect(() => eventSubject('job.progressed')).toThrow('holdfast jobs watch');
  });
});
