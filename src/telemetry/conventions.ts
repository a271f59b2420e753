/**
 * Names of the OpenTelemetry semantic conventions for MCP (status: development, so they may move; they stand only here).
 * Arguments and results of calls have names in the conventions too and are left out on purpose: they are never recorded.
 */
export const METHOD = 'mcp.method.name';
export const SESSION = 'mcp.session.id';
export const PROTOCOL_VERSION = 'mcp.protocol.version';
export const RESOURCE_URI = 'mcp.resource.uri';
export const REQUEST_ID = 'jsonrpc.request.id';
export const TOOL = 'gen_ai.tool.name';
export const PROMPT = 'gen_ai.prompt.name';
export const OPERATION = 'gen_ai.operation.name';
export const ERROR_TYPE = 'error.type';
export const SERVER_ADDRESS = 'server.address';

/** Value of `gen_ai.operation.name` for a tool call. */
export const EXECUTE_TOOL = 'execute_tool';
/** Value of `error.type` where a tool, not the protocol, says that it failed. */
export const TOOL_ERROR = 'tool_error';

/** The gateway's own. */
export const SERVER = 'sallyport.server';
export const EXCHANGE = 'sallyport.exchange.id';
export const RUN = 'sallyport.run';
export const STATUS = 'sallyport.status';
export const REASON = 'sallyport.reason';
