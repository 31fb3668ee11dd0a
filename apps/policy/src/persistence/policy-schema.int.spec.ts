import { describeSchema } from '../../../../test/support/describe-schema.js';
import { policySchema } from './policy-schema.js';

describeSchema(policySchema, {
  table: 'history',
  column: 'failures',
  index: 'running_job_policy',
});
