"""The same rows into the same kind of file with psycopg2, csv and xlsxwriter, as one would write it; says as JSON how that went."""

import csv
import json
import os
import sys
import time

import psycopg2
import xlsxwriter

FETCH = 10_000
FORMAT = "yyyy-mm-dd hh:mm:ss"


def rows(cursor, columns, tenant):
    cursor.itersize = FETCH
    names = ", ".join(columns)
    cursor.execute(f"select {names} from audit.trail where tenant_id = %s order by tenant_seq desc", (tenant,))
    return cursor


def write_csv(found, columns, path):
    count = 0
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in found:
            writer.writerow(row)
            count += 1
    return count


def write_xlsx(found, columns, path):
    book = xlsxwriter.Workbook(path, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    moment = book.add_format({"num_format": FORMAT})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, columns)
    count = 0
    for row in found:
        count += 1
        for at, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(count, at, value)
            elif isinstance(value, int):
                sheet.write_number(count, at, value)
            elif value is not None:
                sheet.write_datetime(count, at, value.replace(tzinfo=None), moment)
    book.close()
    return count


def peak_kib():
    # Not getrusage: its maximum is the larger of ours and of the program that started us.
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def main():
    kind, tenant, path, *columns = sys.argv[1:]
    began = time.perf_counter()
    connection = psycopg2.connect(os.environ["DATABASE_URL"])
    found = rows(connection.cursor("rows"), columns, tenant)
    count = {"csv": write_csv, "xlsx": write_xlsx}[kind](found, columns, path)
    connection.close()
    seconds = time.perf_counter() - began
    done = {"rows": count, "seconds": seconds, "processor_seconds": time.process_time(), "peak_kib": peak_kib()}
    print(json.dumps(done))


main()
