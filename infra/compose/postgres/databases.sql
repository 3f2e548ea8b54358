-- One database for each owner of a truth; run once, when the volume is empty.
CREATE DATABASE ledger;
CREATE DATABASE mlflow;
CREATE DATABASE prefect;
