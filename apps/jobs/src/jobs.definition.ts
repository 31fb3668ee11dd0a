import type { ServiceDefinition } from '#service/service-definition.js';
import { jobsConfig } from './config.js';
import { JobCare } from './driving/job-care.js';
import { JobDriver } from './driving/job-driver.js';
import { JobRounds } from './driving/job-rounds.js';
import { JobSilence } from './driving/job-silence.js';
import { JobListener } from './job-listener.js';
import { JobsModule } from './jobs.module.js';
import { JobLogRow } from './persistence/job-log.entity.js';
import { JobRow } from './persistence/job.entity.js';
import { Jobs1764000000000 } from './persistence/migrations/1764000000000-jobs.js';
import { JobColumns1766000000000 } from './persistence/migrations/1766000000000-job-columns.js';
import { JobDocuments1797000000000 } from './persistence/migrations/1797000000000-job-documents.js';
import { JobLists1799000000000 } from './persistence/migrations/1799000000000-job-lists.js';
import { LiveEvents1799500000000 } from './persistence/migrations/1799500000000-live-events.js';
import { Settings1790500000000 } from './persistence/migrations/1790500000000-settings.js';

export const jobsDefinition: ServiceDefinition<typeof jobsConfig> = {
  name: 'jobs',
  description: 'Runs each job from its request to its end and keeps the record',
  config: jobsConfig,
  module: (config) => JobsModule.with(config),
  owns: {
    schema: 'jobs',
    entities: [JobRow, JobLogRow],
    migrations: [
      Jobs1764000000000,
      JobColumns1766000000000,
      Settings1790500000000,
      JobDocuments1797000000000,
      JobLists1799000000000,
      LiveEvents1799500000000,
    ],
  },
  starts: [JobDriver, JobListener, JobSilence, JobRounds, JobCare],
};
