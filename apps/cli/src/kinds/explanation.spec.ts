import { describe, expect, it } from '@jest/globals';
import { explain, type Explanation } from './explanation.js';
import { KINDS } from './kind-table.js';

describe('explain', () => {
  it('says what a field is, what it may be, and what it is by default', () => {
    expect(explain('policy.compressionLevel')).toMatchObject({
      path: 'policy.compressionLevel',
      type: 'integer',
      required: false,
      default: 1,
      allowed: 'a whole number from 1 to 19',
    });
    expect(explain('policies.clients')).toMatchObject({
      type: 'list of strings',
      allowed: expect.stringMatching(/^a list of 1 to 1000, each a client name: 1 to 63 letters/),
      required: true,
      default: undefined,
    });
  });

  it('goes into lists, and says what there is where a path leads nowhere', () => {
    expect(explain('policy.schedules.frequency').type).toBe('string');
    expect(explain('policy.schedules').fields.map(({ path }) => path)).toContain(
      'policy.schedules.type',
    );
    expect(() => explain('policy.schedules.day')).toThrow(
      /^policy\.schedules has no field "day"; it has name, type, /,
    );
    expect(() => explain('policy.name.first')).toThrow('policy.name has no fields.');
    expect(() => explain('pizza')).toThrow('There is no kind "pizza"; there are ');
  });

  it('has a description for every field of every kind', () => {
    const all = (one: Explanation): Explanation[] => [one, ...one.fields.flatMap(all)];
    const silent = KINDS.flatMap(({ words }) => all(explain(words[0]!)))
      .filter(({ description }) => description === '')
      .map(({ path }) => path);
    expect(silent).toEqual([]);
  });
});
