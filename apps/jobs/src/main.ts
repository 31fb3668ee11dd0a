import { runService } from '#service/run-service.js';
import { jobsDefinition } from './jobs.definition.js';

await runService(jobsDefinition);
