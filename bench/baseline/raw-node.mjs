import { createServer } from "node:http";
import { handleFile } from "./file-handler.mjs";

// node raw-node.mjs <port>
createServer(handleFile).listen(Number(process.argv[2]), "127.0.0.1");
