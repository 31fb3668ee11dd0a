import { describeSchema } from '../../../../test/support/describe-schema.js';
import { jobsDefinition } from '../jobs.definition.js';

describeSchema(jobsDefinition.owns!, { table: 'job', column: 'priority', index: 'job_client' });
