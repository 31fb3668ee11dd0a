import { Module, type DynamicModule } from '@nestjs/common';
import { CommandHandlers } from './command.handlers.js';
import { JobsConfig, type JobsConfigValues } from './config.js';
import { JobCare } from './driving/job-care.js';
import { JobDriver } from './driving/job-driver.js';
import { JobRounds } from './driving/job-rounds.js';
import { JobSilence } from './driving/job-silence.js';
import { RoundsWatch } from './driving/rounds-watch.js';
import { JobChanges } from './job-changes.js';
import { JobListener } from './job-listener.js';
import { JobViews } from './job-views.js';
import { KnownClients } from './known-clients.js';
import { QueryHandlers } from './query.handlers.js';
import { ReportHandlers } from './report.handlers.js';
import { JobRelease } from './steps/job-release.js';
import { JobSources } from './steps/job-sources.js';
import { JobSteps } from './steps/job-steps.js';
import { SubmitHandlers } from './submit.handlers.js';

@Module({
  controllers: [SubmitHandlers, CommandHandlers, QueryHandlers, ReportHandlers],
  providers: [
    ...[JobChanges, JobViews, KnownClients, JobListener],
    ...[JobDriver, JobRounds, RoundsWatch, JobSilence, JobCare],
    ...[JobSteps, JobSources, JobRelease],
  ],
})
export class JobsModule {
  static with(values: JobsConfigValues): DynamicModule {
    return {
      module: JobsModule,
      providers: [{ provide: JobsConfig, useValue: new JobsConfig(values) }],
    };
  }
}
