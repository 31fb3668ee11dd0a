import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { policyDue, policySpec } from '#contracts/policy.js';
import { agenda, type Entry } from './agenda.js';
import { duePage } from './due-page.js';
import { planOf } from './policy-plan.js';

const asked = new Date('2026-11-26T12:00:00Z');
const retry = { triesMax: 2, windowMs: 3_600_000, delayMs: 60_000 };

function entriesOf(hours: readonly (number | null)[], suspendedSince: Date | null = null): Entry[] {
  const plan = planOf(
    policySpec.parse({
      ...{ name: 'p', selections: ['/etc'], clients: hours.map((_, i) => `web${i}`) },
      schedules: [{ name: 's', type: 'full', frequency: '1h' }],
    }),
  );
  const state = {
    ...{ plan, knownSince: asked, suspendedSince, running: () => undefined },
    history: () => undefined,
  };
  return agenda(state, { retry, asked }).map((entry, i) => {
    const at = hours[i] === null ? null : +asked + hours[i]! * 3_600_000;
    return { ...entry, readyAt: at, dueAt: at === null ? null : new Date(at) };
  });
}

const anyHours = fc.array(fc.option(fc.integer({ min: -3, max: 3 })), {
  minLength: 1,
  maxLength: 40,
});

describe('the due list', () => {
  it('has each entry on exactly one page, in order, and says how many there are', () => {
    fc.assert(
      fc.property(anyHours, fc.integer({ min: 1, max: 7 }), (hours, limit) => {
        const entries = entriesOf(hours);
        const all = duePage(entries, { by: undefined, limit: 1_000, asked });
        const paged = [];
        let after: string | undefined;
        do {
          const page = duePage(entries, { by: undefined, limit, after, asked });
          expect(page.total).toBe(hours.length);
          if (page.next !== null) policyDue.request.parse({ after: page.next });
          paged.push(...page.due);
          after = page.next ?? undefined;
        } while (after !== undefined);
        expect(paged).toEqual(all.due);
        const times = all.due.map(({ dueAt }) => (dueAt === null ? Infinity : Date.parse(dueAt)));
        expect(times).toEqual([...times].sort((a, b) => (a === b ? 0 : a - b)));
      }),
    );
  });

  it('of a time has what is due by then', () => {
    const by = new Date('2026-11-26T13:00:00Z');
    const page = duePage(entriesOf([-1, 1, 2, null]), { by, limit: 10, asked });
    expect(page.due.map(({ client }) => client)).toEqual(['web0', 'web1']);
    expect(page).toMatchObject({ total: 2, next: null });
  });

  it('says which job goes on, and which one keeps others from beginning', () => {
    const [entry] = entriesOf([1]);
    const running = { job: 7, schedule: 's', failedAt: asked };
    const shown = (change: Partial<Entry>) =>
      duePage([{ ...entry!, ...change }], { by: undefined, limit: 1, asked }).due[0]!;
    const reason = 'no good backup yet: due at once';
    expect(shown({ running: { ...running, failedAt: null } })).toMatchObject({
      ...{ running: 7, goesOn: null, reason: `${reason}; job 7 runs now` },
    });
    expect(shown({ running })).toMatchObject({
      ...{ running: 7, goesOn: null },
      reason: `${reason}; job 7 is incomplete: nothing new starts until it is resumed or has ended`,
    });
    expect(shown({ running, goesOn: 7 })).toMatchObject({
      ...{ running: 7, goesOn: 7 },
      reason: `${reason}; job 7 goes on then from what is committed`,
    });
  });

  it('says that scheduling is suspended', () => {
    const [entry] = duePage(entriesOf([1], asked), { by: undefined, limit: 1, asked }).due;
    expect(entry).toMatchObject({
      suspended: true,
      reason:
        'no good backup yet: due at once; scheduling is suspended since 2026-11-26T12:00:00.000Z',
    });
  });
});
