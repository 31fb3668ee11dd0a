import { runService } from '#service/run-service.js';
import { brokerDefinition } from './broker.definition.js';

await runService(brokerDefinition);
