-- A picture of the chat has its place before its file was looked at.
ALTER TABLE "messages" ADD COLUMN "width" INTEGER, ADD COLUMN "height" INTEGER;
