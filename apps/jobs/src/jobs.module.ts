import { Module, type DynamicModule } from '@nestjs/common';
import { JobsConfig, type JobsConfigValues } from './config.js';
import { JobChanges } from './job-changes.js';
import { JobDriver } from './job-driver.js';
import { JobListener } from './job-listener.js';
import { JobSilence } from './job-silence.js';
import { JobSources } from './job-sources.js';
import { JobSteps } from './job-steps.js';
import { JobViews } from './job-views.js';
import { QueryHandlers } from './query.handlers.js';
import { ReportHandlers } from './report.handlers.js';
import { SubmitHandlers } from './submit.handlers.js';

@Module({
  controllers: [SubmitHandlers, QueryHandlers, ReportHandlers],
  providers: [JobChanges, JobDriver, JobListener, JobSilence, JobSources, JobSteps, JobViews],
})
export class JobsModule {
  static with(config: JobsConfigValues): DynamicModule {
    return {
      module: JobsModule,
      providers: [{ provide: JobsConfig, useValue: new JobsConfig(config) }],
    };
  }
}
