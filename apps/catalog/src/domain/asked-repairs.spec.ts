import { expect, it } from '@jest/globals';
import { AskedRepairs } from './asked-repairs.js';

function setUp() {
  const open = new Set<number>();
  let submitted = 0;
  const jobs = {
    submit: async () => {
      open.add((submitted += 1));
      return submitted;
    },
    isOpen: async (job: number) => open.has(job),
  };
  return { open, jobs, repairs: new AskedRepairs(), count: () => submitted };
}

it('a repair is asked for once, and once more only when its job has ended', async () => {
  const { open, jobs, repairs, count } = setUp();
  for (const requestId of ['first', 'first', 'second']) await repairs.ask('a', requestId, jobs);
  expect(count()).toBe(1);
  open.clear();
  await repairs.ask('a', 'first', jobs);
  expect(count()).toBe(1);
  await repairs.ask('a', 'second', jobs);
  expect(count()).toBe(2);
});

it('a repair that was refused is asked for again', async () => {
  const { jobs, repairs, count } = setUp();
  const submit = () => Promise.reject(new Error('away'));
  await expect(repairs.ask('a', 'first', { ...jobs, submit })).rejects.toThrow('away');
  await repairs.ask('a', 'first', jobs);
  expect(count()).toBe(1);
});

it('a copy that is not damaged any more is forgotten when all were looked at', async () => {
  const { jobs, repairs, count } = setUp();
  await repairs.ask('a', 'first', jobs);
  repairs.endPass();
  await repairs.ask('a', 'first', jobs);
  repairs.endPass();
  expect(count()).toBe(1);
  repairs.endPass();
  await repairs.ask('a', 'first', jobs);
  expect(count()).toBe(2);
});
