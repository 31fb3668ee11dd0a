import { runService } from '#service/run-service.js';
import { policyDefinition } from './policy.definition.js';

await runService(policyDefinition);
