import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { settingName } from '#contracts/settings/settings.js';
import { Settings } from '#service/settings/settings.js';
import { agentConfig } from '../apps/agent/src/config.js';
import { brokerConfig, BrokerConfig } from '../apps/broker/src/config.js';
import { catalogConfig } from '../apps/catalog/src/config.js';
import { jobsConfig, JobsConfig } from '../apps/jobs/src/config.js';
import { mediaConfig } from '../apps/media/src/config.js';
import { policyConfig, PolicyConfig } from '../apps/policy/src/config.js';
import { checkoutFolder } from '../apps/standalone/src/servers/checkout-folder.js';

const OF_MEDIA = { HOLDFAST_MEDIA_ID: 'media1', HOLDFAST_MEDIA_VOLUMES: 'main=/v' };
const OF_AGENT = { HOLDFAST_CLIENT: 'web1', HOLDFAST_AGENT_FOLDER: '/a' };

const policy = new Settings(policyConfig, {});
const jobs = new Settings(jobsConfig, {});
const broker = new Settings(brokerConfig, {});
const fixed: readonly Settings[] = [
  new Settings(catalogConfig, {}),
  new Settings(mediaConfig, OF_MEDIA),
  new Settings(agentConfig, OF_AGENT),
];
const all = [policy, jobs, broker, ...fixed].flatMap((one) => one.views());

const set = (entries: Record<string, string>) => new Map(Object.entries(entries));

describe('the settings of all services', () => {
  it('have names of their own', () => {
    const names = all.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(settingName.safeParse(name).success).toBe(true);
  });

  it('stand in docs/settings.md: every variable, and every name that can be set', () => {
    const text = readFileSync(join(checkoutFolder(), 'docs/settings.md'), 'utf8');
    const words = all.flatMap(({ name, variable, settable }) =>
      settable ? [name, variable] : [variable],
    );
    expect(words.filter((word) => !text.includes(`\`${word}\``))).toEqual([]);
  });

  it('can be set in services with a table for it alone', () => {
    expect(fixed.flatMap((one) => one.views()).filter(({ settable }) => settable)).toEqual([]);
  });

  it('reach the code that goes by them as soon as they are set', () => {
    const [rule, job, lease] = [
      new PolicyConfig(policy.values),
      new JobsConfig(jobs.values),
      new BrokerConfig(broker.values),
    ];
    expect(rule.retry).toEqual({ triesMax: 2, windowMs: 43_200_000, delayMs: 600_000 });
    policy.use(set({ 'retry.tries': '3', 'retry.period-hours': '1', 'retry.delay-minutes': '2' }));
    expect(rule.retry).toEqual({ triesMax: 3, windowMs: 3_600_000, delayMs: 120_000 });
    jobs.use(set({ 'jobs.silence-seconds': '5000', 'jobs.retry-first-seconds': '0' }));
    expect([job.silenceMsMax, job.backoff.firstMs, job.backoff.factor]).toEqual([5_000, 0, 3]);
    jobs.use(set({ 'jobs.keep-days': '2d', 'jobs.incomplete-hours': '1h' }));
    expect([job.keepMs, job.incompleteMsMax, job.silenceMsMax]).toEqual([
      172_800_000, 3_600_000, 30_000,
    ]);
    broker.use(set({ 'broker.lease-seconds': '60', 'broker.evaluate-seconds': '9' }));
    expect([lease.leaseMs, lease.evaluateMs]).toEqual([60_000, 9_000]);
  });
});
