import type { ServiceDefinition } from '#service/service-definition.js';
import { policyConfig } from './config.js';
import { JobNews } from './job-news.js';
import { policySchema } from './persistence/policy-schema.js';
import { PolicyModule } from './policy.module.js';
import { Scheduler } from './scheduler.js';
import { SilentJobs } from './silent-jobs.js';

export const policyDefinition: ServiceDefinition<typeof policyConfig> = {
  name: 'policy',
  description: 'Keeps policies, works out what is due, and has it backed up',
  config: policyConfig,
  module: (config) => PolicyModule.with(config),
  owns: policySchema,
  starts: [JobNews, SilentJobs, Scheduler],
};
