-- Whether an import makes what is not there under the ids that its rows give.
ALTER TABLE imports ADD COLUMN restore boolean NOT NULL DEFAULT false;
