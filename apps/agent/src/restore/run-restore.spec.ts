import { expect, it } from '@jest/globals';

import { statusOf } from './run-restore.js';

const fine = { stopped: false, nothingFound: false, nothingDone: false, lost: false };

it('sums a restore up in one status code', () => {
  expect(statusOf(fine)).toBe(0);
  expect(statusOf({ ...fine, nothingDone: true })).toBe(0);
  expect(statusOf({ ...fine, lost: true })).toBe(1);
  expect(statusOf({ ...fine, lost: true, nothingDone: true })).toBe(5);
  expect(statusOf({ ...fine, lost: true, nothingDone: true, refusal: 98 })).toBe(98);
  expect(statusOf({ ...fine, lost: true, refusal: 98 })).toBe(1);
  expect(statusOf({ ...fine, lost: true, nothingDone: true, nothingFound: true })).toBe(185);
  expect(statusOf({ ...fine, stopped: true, lost: true })).toBe(150);
});
