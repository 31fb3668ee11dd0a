import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LongTasks } from './long-tasks.js';

let cleared: number;
let tasks: LongTasks;
beforeEach(() => {
  jest.useFakeTimers();
  cleared = 0;
  tasks = new LongTasks(() => void (cleared += 1));
});
afterEach(() => {
  jest.useRealTimers();
});

describe('What long tasks leave behind', () => {
  it('is cleared up once, behind the last task that is at work', () => {
    const long = tasks.begin();
    jest.advanceTimersByTime(2_000);
    const short = tasks.begin();
    long();
    expect(cleared).toBe(0);
    short();
    expect(cleared).toBe(1);
    tasks.begin()();
    expect(cleared).toBe(1);
  });

  it('is nothing where tasks are short', () => {
    for (let n = 0; n < 10; n += 1) {
      const end = tasks.begin();
      jest.advanceTimersByTime(900);
      end();
    }
    expect(cleared).toBe(0);
  });

  it('is given back in this process, too', () => {
    const real = new LongTasks();
    const end = real.begin();
    jest.advanceTimersByTime(2_000);
    expect(end).not.toThrow();
  });
});
