import { describe, expect, it } from '@jest/globals';
import { uuidOf, uuidv7 } from './ids.js';

describe('ids', () => {
  it('sort by the time at which they were made', () => {
    const early = uuidv7(new Date('2026-01-01T00:00:00.000Z'));
    const late = uuidv7(new Date('2026-01-01T00:00:00.001Z'));
    expect(early < late).toBe(true);
    expect(early).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('are the same for the same name', () => {
    expect(uuidOf('a')).toBe(uuidOf('a'));
    expect(uuidOf('a')).not.toBe(uuidOf('b'));
  });
});
