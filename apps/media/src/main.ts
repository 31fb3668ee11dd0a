import { runService } from '#service/run-service.js';
import { mediaDefinition } from './media.definition.js';

await runService(mediaDefinition);
